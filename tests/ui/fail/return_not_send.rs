//! A result that cannot move between threads.

#[vox::service]
pub trait Files {
    async fn open(&self) -> std::rc::Rc<String>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
