#[vox::service(crate = renamed::vox, name = "acme.everything", rename_all = "camelCase")]
pub(crate) trait Everything: Debug + Send {
    #[cfg(feature = "extra")]
    #[deprecated]
    #[vox(persist, timeout = "50ms", name = "do")]
    async fn do_it(&self, cx: &vox::Context, name: &str, bytes: &[u8], r#type: Vec<Option<Kind>>) -> io::Result<u64>;

    async fn watch_all(&self, args: u64, handler: Tx<Event>, mut call: [u8; 4]);

    async fn plain(&self) -> Summary;
}
