//! `rename_all`, in every casing, and `name` beside it.

macro_rules! cased {
    ($casing:literal, $Service:ident, $Client:ident, $name:literal) => {
        #[vox::service(rename_all = $casing)]
        pub trait $Service {
            async fn open_new_file(&self);
            #[vox(name = "asIs")]
            async fn as_is(&self);
        }

        #[allow(dead_code)]
        const _: () = ();

        impl $Client {
            fn check() {
                assert_eq!(Self::SERVICE.methods[0].name, $name);
                assert_eq!(Self::SERVICE.methods[1].name, "asIs");
            }
        }
    };
}

cased!("camelCase", Camel, CamelClient, "openNewFile");
cased!("PascalCase", Pascal, PascalClient, "OpenNewFile");
cased!("snake_case", Snake, SnakeClient, "open_new_file");
cased!("kebab-case", Kebab, KebabClient, "open-new-file");
cased!("SCREAMING_SNAKE_CASE", Screaming, ScreamingClient, "OPEN_NEW_FILE");

fn main() {
    CamelClient::check();
    PascalClient::check();
    SnakeClient::check();
    KebabClient::check();
    ScreamingClient::check();
}
