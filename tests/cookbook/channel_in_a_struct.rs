//! A channel among the fields of an argument.

use facet::Facet;
use vox::Tx;

use super::Tested;

#[derive(Facet)]
struct Search {
    word: String,
    /// Each line that has the word. `None`: only count.
    hits: Option<Tx<String>>,
}

#[vox::service]
trait Library {
    async fn search(&self, search: Search) -> u64;
}

struct Shelf(&'static [&'static str]);

impl Library for Shelf {
    async fn search(&self, search: Search) -> u64 {
        let found: Vec<_> =
            self.0.iter().filter(|line| line.contains(&search.word)).map(|line| line.to_string()).collect();
        let count = found.len() as u64;
        if let Some(hits) = search.hits {
            let _ = hits.send_all(found).await; // sends them, then closes
        }
        count
    }
}

#[tokio::test]
async fn hits_arrive_while_the_search_runs() -> Tested {
    let library = LibraryClient::over_memory(Shelf(&["a red rose", "a green leaf", "red wine"])).await?;
    let (tx, mut hits) = vox::channel();
    let search = Search { word: "red".to_owned(), hits: Some(tx) };
    let reading = async {
        let mut lines = Vec::new();
        while let Some(line) = hits.recv().await? {
            lines.push(line);
        }
        Ok::<_, vox::RecvError>(lines)
    };
    let (found, lines) = tokio::join!(library.search(search), reading);
    assert_eq!((found?, lines?), (2, vec!["a red rose".to_owned(), "red wine".to_owned()]));

    assert_eq!(library.search(Search { word: "a".to_owned(), hits: None }).await?, 2);
    Ok(())
}
