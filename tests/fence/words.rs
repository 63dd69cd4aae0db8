//! Words that make a sentence read as translated do not come back.

/// What is not said, and how to say it. All in small letters, but for the last, which is one only where it begins a
/// sentence.
const AVOIDED: [(&str, &str); 5] = [
    ("whoever", "name the one who acts: the caller, the peer, the reader"),
    ("came of ", "say `the outcome of`, `the result of`, `how it ended`"),
    ("comes to ", "say `is`, `gives`, `ends`, `reaches`"),
    ("those included that", "make it a sentence: `Sessions that wait count too.`"),
    ("Kept is ", "put the subject first: `The store keeps …`"),
];

/// This file has them to say what they are.
const HERE: &str = "tests/fence/words.rs";

#[test]
fn documents_and_comments_put_the_subject_first() {
    let texts = ["md", "rs", "toml", "txt"].into_iter().flat_map(super::files).filter(|(name, _)| name != HERE);
    let mut found = Vec::new();
    for (name, text) in texts {
        let text = one_line(&text);
        let small = text.to_lowercase();
        for (words, instead) in AVOIDED {
            let searched = if words == words.to_lowercase() { &small } else { &text };
            // A word is not found inside another.
            let mut places = searched.match_indices(words).map(|(at, _)| at);
            if let Some(at) = places.find(|&at| !searched[..at].ends_with(char::is_alphanumeric)) {
                let around: String = searched[at..].chars().take(60).collect();
                found.push(format!("{name}: \"{around}\": {instead}"));
            }
        }
    }
    assert!(found.is_empty(), "not in plain English:\n{}", found.join("\n"));
}

/// The text without its line breaks and the marks of comments, so that a phrase over two lines is found too.
fn one_line(text: &str) -> String {
    let marks: &[char] = &['/', '!', '#'];
    text.lines().map(|line| line.trim().trim_start_matches(marks).trim()).collect::<Vec<_>>().join(" ")
}
