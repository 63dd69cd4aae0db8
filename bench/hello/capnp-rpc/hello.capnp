@0xd0a7c7b1f0a8e9b3;

interface Hello {
  hello @0 (name :Text) -> (text :Text);
}
