//! Services of this package and of another are served and called where vox is called `rpc`.

use package_library::{Book, BooksClient, BooksDispatcher, Refusal};
use package_user::{
    Note, NotesClient, NotesDispatcher, Shelf, ToldByPathClient, ToldByPathDispatcher, ToldClient, ToldDispatcher,
};
use rpc::VoxError;

/// A client of what `dispatcher` serves, over memory.
async fn client<C: rpc::Client>(dispatcher: impl rpc::Dispatcher) -> C {
    let (ours, theirs) = rpc::transport::memory_pair();
    tokio::spawn(rpc::serve(theirs, dispatcher));
    rpc::connect(ours).await.expect("the handshake succeeds")
}

#[tokio::test]
async fn a_service_of_a_library_is_implemented_and_called_elsewhere() {
    let books: BooksClient = client(BooksDispatcher::new(Shelf)).await;
    assert_eq!(books.lend("Emma", 1).await, Ok(Book { title: "Emma, by library.Books".to_owned() }));
    assert_eq!(books.lend("Persuasion", 7).await, Err(VoxError::User(Refusal::OnLoan(7))));
    assert_eq!(books.motto().await.as_deref(), Ok("read"));
    let (ours, mut titles) = rpc::channel();
    let call = tokio::spawn(books.titles(ours).into_future());
    assert_eq!(titles.recv().await, Ok(Some("Emma".to_owned())));
    assert_eq!(call.await.expect("no panic"), Ok(1));
}

#[tokio::test]
async fn a_service_finds_vox_under_the_name_in_the_manifest() {
    let notes: NotesClient = client(NotesDispatcher::new(Shelf)).await;
    assert_eq!(notes.read(1).await, Ok(Note { text: "one".to_owned() }));
    assert_eq!(notes.read(2).await, Err(VoxError::User("no such note".to_owned())));
}

#[tokio::test]
async fn a_service_is_told_where_vox_is() {
    let told: ToldClient = client(ToldDispatcher::new(Shelf)).await;
    assert_eq!(told.echo("echo").await.as_deref(), Ok("echo"));
    let told: ToldByPathClient = client(ToldByPathDispatcher::new(Shelf)).await;
    assert_eq!(told.nothing().await, Ok(()));
}
