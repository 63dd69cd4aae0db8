//! A handler that calls its caller.

use super::Tested;

#[vox::service]
trait Shop {
    async fn order(&self, cx: &vox::Context, what: String) -> Result<(), String>;
}

#[vox::service]
trait Customer {
    async fn confirm(&self, question: String) -> bool;
}

struct MyShop;

impl Shop for MyShop {
    async fn order(&self, cx: &vox::Context, what: String) -> Result<(), String> {
        // A connection of its own, on the session that the call came on.
        let customer: CustomerClient = cx.session().open().await.map_err(|error| error.to_string())?;
        match customer.confirm(format!("{what}, really?")).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("not confirmed".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

struct Me;

impl Customer for Me {
    async fn confirm(&self, question: String) -> bool {
        question == "cake, really?"
    }
}

#[tokio::test]
async fn the_customer_is_asked() -> Tested {
    let shop = ShopClient::over_memory(MyShop).serving(CustomerDispatcher::new(Me)).await?;
    assert_eq!(shop.order("cake".to_owned()).await, Ok(()));
    assert_eq!(shop.order("fish".to_owned()).await, Err(vox::VoxError::User("not confirmed".to_owned())));
    Ok(())
}

#[tokio::test]
async fn a_caller_that_serves_nothing_cannot_be_called() -> Tested {
    let shop = ShopClient::over_memory(MyShop).await?;
    let error = shop.order("cake".to_owned()).await.expect_err("nobody can be asked").to_string();
    assert!(error.contains("no service `Customer` here"), "{error}");
    Ok(())
}
