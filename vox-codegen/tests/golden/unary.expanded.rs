/// Keeps money.
pub trait Bank: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// What an account holds.
    fn balance(
        &self,
        account: Account,
    ) -> impl ::core::future::Future<
        Output = Result<u64, BankError>,
    > + ::core::marker::Send;
}
/**Calls the service `Bank`: one method for each of [`Bank`]'s.

Cloning is cheap; clones share the connection.*/
#[allow(dead_code)]
pub struct BankClient {
    caller: ::vox::Caller,
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
    use __vox::{NotResult as _, Returned as _, Stranded as _};
    static __VOX_PLAN_0_0: __vox::Plan<Account> = __vox::Plan::new(
        __vox::Wire::expect(
            __vox::Wire::<Account>::CROSSES,
            "argument `account` of `Bank::balance` cannot cross the wire: `Account` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
        ),
    );
    static __VOX_REPLY_0: __vox::Reply<u64, BankError> = __vox::Reply::new(
        __vox::ReplyWire::<u64, BankError>::CROSSES,
        __vox::Wire::<u64>::CROSSES,
        __vox::Wire::expect(
            __vox::Wire::<BankError>::CROSSES,
            "the error of `Bank::balance` cannot cross the wire: `BankError` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
        ),
    );
    const __VOX_METHOD_0: __vox::MethodDescriptor = __vox::MethodDescriptor {
        id: __vox::MethodId(0xe3b5bca871d7b8c9),
        service: "Bank",
        name: "balance",
        docs: "What an account holds.",
        args: &[
            __vox::argument(
                "account",
                __vox::Wire::<Account>::CROSSES,
                || __VOX_PLAN_0_0.channels(),
            ),
        ],
        response: __vox::ReplyWire::<u64, BankError>::CROSSES.shape(),
        policy: __vox::RetryPolicy::IDEM,
        timeout: ::core::option::Option::None,
    };
    const __VOX_SERVICE: ::vox::ServiceDescriptor = ::vox::ServiceDescriptor {
        name: "Bank",
        docs: "Keeps money.",
        methods: &[__VOX_METHOD_0],
    };
    impl ::vox::Client for BankClient {
        const SERVICE: ::core::option::Option<&'static ::vox::ServiceDescriptor> = ::core::option::Option::Some(
            BankClient::SERVICE,
        );
        fn from_caller(caller: ::vox::Caller) -> Self {
            BankClient { caller }
        }
        fn caller(&self) -> &::vox::Caller {
            &self.caller
        }
    }
    impl ::core::clone::Clone for BankClient {
        fn clone(&self) -> Self {
            BankClient {
                caller: ::core::clone::Clone::clone(&self.caller),
            }
        }
    }
    impl ::core::fmt::Debug for BankClient {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("BankClient").finish_non_exhaustive()
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
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("BankDispatcher").finish_non_exhaustive()
        }
    }
    impl BankClient {
        ///What [`Bank`] looks like on the wire.
        pub const SERVICE: &'static ::vox::ServiceDescriptor = &__VOX_SERVICE;
        /// What an account holds.
        pub fn balance(&self, account: Account) -> ::vox::Call<u64, BankError> {
            let mut call = self.caller.call(&__VOX_METHOD_0);
            call.arg(&__VOX_PLAN_0_0, &account);
            call.finish(&__VOX_REPLY_0)
        }
    }
    impl<H: Bank> BankDispatcher<H> {
        /// Serves `handler`.
        pub fn new(handler: H) -> Self {
            BankDispatcher {
                handler: ::std::sync::Arc::new(handler),
            }
        }
        /// Serves a `handler` that others hold too.
        pub fn from_arc(handler: ::std::sync::Arc<H>) -> Self {
            BankDispatcher { handler }
        }
    }
    impl<H: Bank> ::vox::Dispatcher for BankDispatcher<H> {
        fn service(&self) -> &'static ::vox::ServiceDescriptor {
            BankClient::SERVICE
        }
        fn dispatch(&self, call: __vox::Incoming) -> __vox::Hosted {
            match call.method() {
                __vox::MethodId(0xe3b5bca871d7b8c9) => {
                    let handler = ::core::clone::Clone::clone(&self.handler);
                    call.host(
                        &__VOX_METHOD_0,
                        &__VOX_REPLY_0,
                        move |mut args| async move {
                            let account = args.read(&__VOX_PLAN_0_0)?;
                            args.finish()?;
                            ::core::result::Result::Ok(
                                <H as Bank>::balance(&*handler, account).await,
                            )
                        },
                    )
                }
                _ => call.unknown_method(),
            }
        }
    }
};
