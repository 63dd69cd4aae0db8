/// Keeps money.
pub trait Bank: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// What an account holds.
    fn balance(
        &self,
        account: Account,
    ) -> impl ::vox::__private::SendFuture<Output = Result<u64, BankError>>;
}
/**Calls the service `Bank`: one method for each of [`Bank`]'s.

Cloning is cheap; clones share the connection.*/
#[allow(dead_code)]
pub struct BankClient {
    __caller: ::vox::Caller,
}
///Serves the service `Bank` by an implementation of [`Bank`].
#[allow(dead_code)]
pub struct BankDispatcher<H> {
    handler: ::std::sync::Arc<H>,
}
#[allow(
    dead_code,
    deprecated,
    missing_docs,
    non_snake_case,
    private_interfaces,
    unused_qualifications,
    unused_variables,
    clippy::all,
    clippy::pedantic,
)]
const _: () = {
    use ::vox::__private as __vox;
    #[allow(unused_imports)]
    use __vox::{NotResult as _, NotSend as _, Returned as _, NotFacet as _};
    static __VOX_PLAN_0_0: __vox::Plan<Account> = __vox::Wire::<Account>::CROSSES
        .sent(__vox::IsSend::<Account>::VALUE, "account", "Bank::balance", "Account");
    static __VOX_REPLY_0: __vox::Reply<u64, BankError> = __vox::Reply::new(
        __vox::Wire::<u64>::CROSSES.result("Bank::balance", "u64"),
        __vox::Wire::<BankError>::CROSSES.error("Bank::balance", "BankError"),
    );
    static __VOX_METHOD_0: __vox::MethodDescriptor = __vox::MethodDescriptor {
        docs: "What an account holds.",
        args: &[
            __vox::Wire::<Account>::CROSSES.arg("account", || __VOX_PLAN_0_0.channels()),
        ],
        response: __vox::ReplyWire::<u64, BankError>::CROSSES.shape(),
        policy: __vox::RetryPolicy::IDEM,
        ..__vox::method(0xe3b5bca871d7b8c9, "Bank", "balance")
    };
    static __VOX_SERVICE: ::vox::descriptor::ServiceDescriptor = ::vox::descriptor::ServiceDescriptor {
        name: "Bank",
        docs: "Keeps money.",
        methods: &[__vox::listed(&__VOX_METHOD_0)],
    };
    impl ::vox::Client for BankClient {
        const SERVICE: ::core::option::Option<
            &'static ::vox::descriptor::ServiceDescriptor,
        > = ::core::option::Option::Some(BankClient::SERVICE);
        fn from_caller(__caller: ::vox::Caller) -> Self {
            BankClient { __caller }
        }
        fn caller(&self) -> &::vox::Caller {
            &self.__caller
        }
    }
    impl ::core::clone::Clone for BankClient {
        fn clone(&self) -> Self {
            BankClient {
                __caller: ::core::clone::Clone::clone(&self.__caller),
            }
        }
    }
    impl ::core::fmt::Debug for BankClient {
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("BankClient").finish_non_exhaustive()
        }
    }
    impl<H> ::core::clone::Clone for BankDispatcher<H> {
        fn clone(&self) -> Self {
            BankDispatcher {
                handler: ::core::clone::Clone::clone(&self.handler),
            }
        }
    }
    impl<H> ::core::fmt::Debug for BankDispatcher<H> {
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("BankDispatcher").finish_non_exhaustive()
        }
    }
    impl BankClient {
        ///What [`Bank`] looks like on the wire.
        pub const SERVICE: &'static ::vox::descriptor::ServiceDescriptor = &__VOX_SERVICE;
        /// What an account holds.
        pub fn balance(&self, account: Account) -> ::vox::Call<u64, BankError> {
            let mut __call = self.__caller.call(&__VOX_METHOD_0);
            __call.arg(&__VOX_PLAN_0_0, account);
            __call.finish(&__VOX_REPLY_0)
        }
    }
    impl<H: Bank> BankDispatcher<H> {
        /// Serves a handler, or one in an `Arc`, which others may hold too.
        pub fn new<__VoxHow>(
            __handler: impl __vox::IntoHandler<BankClient, __VoxHow, Handler = H>,
        ) -> Self {
            BankDispatcher {
                handler: __vox::IntoHandler::into_handler(__handler),
            }
        }
        /// Serves a handler that others hold too.
        pub fn from_arc(__handler: ::std::sync::Arc<H>) -> Self {
            BankDispatcher {
                handler: __handler,
            }
        }
    }
    impl<H: Bank> __vox::Serves<H> for BankClient {}
    impl BankClient {
        /**Calls a handler in this process: `BankClient::over_memory(handler).await`.

The session is a real one, over memory. The handler is served until the last clone of the client is gone.*/
        pub fn over_memory<H: Bank, __VoxHow>(
            __handler: impl __vox::IntoHandler<BankClient, __VoxHow, Handler = H>,
        ) -> ::vox::Connect<BankClient> {
            __vox::over_memory(BankDispatcher::new(__handler))
        }
    }
    impl<H: Bank> ::vox::Dispatcher for BankDispatcher<H> {
        fn service(&self) -> &'static ::vox::descriptor::ServiceDescriptor {
            BankClient::SERVICE
        }
        fn dispatch(&self, __call: __vox::Incoming<'_>) -> __vox::HandlerFuture {
            let __handler = ::core::clone::Clone::clone(&self.handler);
            let (__method, __to, __call) = __call.accept();
            match __method {
                __vox::MethodId(0xe3b5bca871d7b8c9) => {
                    let mut __args = __call.args(&__VOX_METHOD_0);
                    __to.host(async move {
                        let __0 = __args.last(&__VOX_PLAN_0_0)?;
                        let __out = <H as Bank>::balance(&__handler, __0).await;
                        __args.answer(&__VOX_REPLY_0, __out)
                    })
                }
                _ => __to.unknown_method(),
            }
        }
    }
};
