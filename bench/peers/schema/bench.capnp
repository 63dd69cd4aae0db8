@0xb5c1d0a3f2e94c17;

interface Bench {
  echo @0 (number :UInt64) -> (number :UInt64);
  blob @1 (bytes :Data) -> (bytes :Data);
  list @2 (records :List(Record)) -> (records :List(Record));
  numbers @3 (items :UInt64, sink :Numbers);
  structs @4 (items :UInt64, sink :Structs);
  hold @5 ();
  held @6 () -> (number :UInt64);
  put @7 (bytes :Data) -> (number :UInt64);
  get @8 (bytes :UInt64) -> (bytes :Data);
  chunks @9 (items :UInt64, sink :Chunks);
}

interface Chunks {
  item @0 (bytes :Data) -> stream;
}

interface Numbers {
  item @0 (number :UInt64) -> stream;
}

interface Structs {
  item @0 (item :Hundred) -> stream;
}

struct Record {
  id @0 :UInt64;
  name @1 :Text;
  tags @2 :List(Text);
  score @3 :Float64;
  flag @4 :Bool;
}

struct Hundred {
  id @0 :UInt64;
  at @1 :UInt64;
  kind @2 :UInt32;
  values @3 :List(Float32);
}
