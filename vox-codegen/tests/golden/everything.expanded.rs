pub(crate) trait Everything: Debug + ::core::marker::Send + ::core::marker::Sync + 'static {
    #[cfg(feature = "extra")]
    #[deprecated]
    fn do_it(
        &self,
        cx: &vox::Context,
        name: &str,
        bytes: &[u8],
        r#type: Vec<Option<Kind>>,
    ) -> impl ::core::future::Future<Output = io::Result<u64>> + ::core::marker::Send;
    fn watch_all(
        &self,
        args: u64,
        handler: Tx<Event>,
        call: [u8; 4],
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn plain(
        &self,
    ) -> impl ::core::future::Future<Output = Summary> + ::core::marker::Send;
}
/**Calls the service `acme.everything`: one method for each of [`Everything`]'s.

Cloning is cheap; clones share the connection.*/
#[allow(dead_code)]
pub(crate) struct EverythingClient {
    caller: renamed::vox::Caller,
}
///Serves the service `acme.everything` by an implementation of [`Everything`].
#[allow(dead_code)]
pub(crate) struct EverythingDispatcher<H> {
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
    use renamed::vox::__private as __vox;
    #[allow(unused_imports)]
    use __vox::{NotResult as _, Returned as _, Stranded as _};
    #[cfg(feature = "extra")]
    static __VOX_PLAN_0_0: __vox::Plan<::std::string::String> = __vox::Plan::new(
        __vox::Wire::<::std::string::String>::CROSSES,
    );
    #[cfg(feature = "extra")]
    static __VOX_PLAN_0_1: __vox::Plan<::std::vec::Vec<u8>> = __vox::Plan::new(
        __vox::Wire::<::std::vec::Vec<u8>>::CROSSES,
    );
    #[cfg(feature = "extra")]
    static __VOX_PLAN_0_2: __vox::Plan<Vec<Option<Kind>>> = __vox::Plan::new(
        __vox::Wire::expect(
            __vox::Wire::blame(
                __vox::Wire::blame(
                    __vox::Wire::<Vec<Option<Kind>>>::CROSSES,
                    __vox::Wire::<Kind>::CROSSES.crosses(),
                    "argument `type` of `Everything::do_it` cannot cross the wire: `Kind` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
                ),
                __vox::Wire::<Option<Kind>>::CROSSES.crosses(),
                "argument `type` of `Everything::do_it` cannot cross the wire: `Option<Kind>` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
            ),
            "argument `type` of `Everything::do_it` cannot cross the wire: `Vec<Option<Kind>>` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
        ),
    );
    #[cfg(feature = "extra")]
    type __VoxOutcome0 = __vox::Outcome<
        io::Result<u64>,
        { __vox::IsResult::<io::Result<u64>>::VALUE },
    >;
    #[cfg(feature = "extra")]
    static __VOX_REPLY_0: __vox::Reply<
        <__VoxOutcome0 as __vox::Returned>::Ok,
        <__VoxOutcome0 as __vox::Returned>::Err,
    > = __vox::Reply::new(
        __vox::ReplyWire::<
            <__VoxOutcome0 as __vox::Returned>::Ok,
            <__VoxOutcome0 as __vox::Returned>::Err,
        >::CROSSES,
        __vox::Wire::expect(
            __vox::Wire::<<__VoxOutcome0 as __vox::Returned>::Ok>::CROSSES,
            "the result of `Everything::do_it` cannot cross the wire: `io::Result<u64>` holds a type that is not `Facet`\nhelp: write a `Result<T, E>` of types with `#[derive(facet::Facet)]`",
        ),
        __vox::Wire::expect(
            __vox::Wire::<<__VoxOutcome0 as __vox::Returned>::Err>::CROSSES,
            "the error of `Everything::do_it` cannot cross the wire: `io::Result<u64>` holds a type that is not `Facet`\nhelp: write a `Result<T, E>` of types with `#[derive(facet::Facet)]`",
        ),
    );
    #[cfg(feature = "extra")]
    const __VOX_METHOD_0: __vox::MethodDescriptor = __vox::MethodDescriptor {
        id: __vox::MethodId(0xa8a6d1c94c02f9b1),
        service: "acme.everything",
        name: "do",
        docs: "",
        args: &[
            __vox::argument(
                "name",
                __vox::Wire::<::std::string::String>::CROSSES,
                || __VOX_PLAN_0_0.channels(),
            ),
            __vox::argument(
                "bytes",
                __vox::Wire::<::std::vec::Vec<u8>>::CROSSES,
                || __VOX_PLAN_0_1.channels(),
            ),
            __vox::argument(
                "type",
                __vox::Wire::<Vec<Option<Kind>>>::CROSSES,
                || __VOX_PLAN_0_2.channels(),
            ),
        ],
        response: __vox::ReplyWire::<
            <__VoxOutcome0 as __vox::Returned>::Ok,
            <__VoxOutcome0 as __vox::Returned>::Err,
        >::CROSSES
            .shape(),
        policy: __vox::RetryPolicy::PERSIST,
        timeout: ::core::option::Option::Some(::core::time::Duration::from_millis(50)),
    };
    static __VOX_PLAN_1_0: __vox::Plan<u64> = __vox::Plan::new(
        __vox::Wire::<u64>::CROSSES,
    );
    static __VOX_PLAN_1_1: __vox::Plan<Tx<Event>> = __vox::Plan::new(
        __vox::Wire::expect(
            __vox::Wire::blame(
                __vox::Wire::<Tx<Event>>::CROSSES,
                __vox::Wire::<Event>::CROSSES.crosses(),
                "argument `handler` of `Everything::watch_all` cannot cross the wire: `Event` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
            ),
            "argument `handler` of `Everything::watch_all` cannot cross the wire: `Tx<Event>` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
        ),
    );
    static __VOX_PLAN_1_2: __vox::Plan<[u8; 4]> = __vox::Plan::new(
        __vox::Wire::expect(
            __vox::Wire::<[u8; 4]>::CROSSES,
            "argument `call` of `Everything::watch_all` cannot cross the wire: `[u8; 4]` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
        ),
    );
    static __VOX_REPLY_1: __vox::Reply<(), ::core::convert::Infallible> = __vox::Reply::new(
        __vox::ReplyWire::<(), ::core::convert::Infallible>::CROSSES,
        __vox::Wire::<()>::CROSSES,
        __vox::Wire::<::core::convert::Infallible>::CROSSES,
    );
    const __VOX_METHOD_1: __vox::MethodDescriptor = __vox::MethodDescriptor {
        id: __vox::MethodId(0x14dc8fab6d8d2d06),
        service: "acme.everything",
        name: "watchAll",
        docs: "",
        args: &[
            __vox::argument(
                "args",
                __vox::Wire::<u64>::CROSSES,
                || __VOX_PLAN_1_0.channels(),
            ),
            __vox::argument(
                "handler",
                __vox::Wire::<Tx<Event>>::CROSSES,
                || __VOX_PLAN_1_1.channels(),
            ),
            __vox::argument(
                "call",
                __vox::Wire::<[u8; 4]>::CROSSES,
                || __VOX_PLAN_1_2.channels(),
            ),
        ],
        response: __vox::ReplyWire::<(), ::core::convert::Infallible>::CROSSES.shape(),
        policy: __vox::RetryPolicy::VOLATILE,
        timeout: ::core::option::Option::None,
    };
    static __VOX_REPLY_2: __vox::Reply<Summary, ::core::convert::Infallible> = __vox::Reply::new(
        __vox::ReplyWire::<Summary, ::core::convert::Infallible>::CROSSES,
        __vox::Wire::refuse_if(
            __vox::Wire::expect(
                __vox::Wire::<Summary>::CROSSES,
                "the result of `Everything::plain` cannot cross the wire: `Summary` is not `Facet`\nhelp: write `#[derive(facet::Facet)]` above the type, or pass one that has it",
            ),
            __vox::IsResult::<Summary>::VALUE,
            "`Everything::plain` returns an alias of `Result`\nhelp: write `Result<T, E>`, or give the alias a name that ends in `Result`",
        ),
        __vox::Wire::<::core::convert::Infallible>::CROSSES,
    );
    const __VOX_METHOD_2: __vox::MethodDescriptor = __vox::MethodDescriptor {
        id: __vox::MethodId(0x3dd48b2f26e9d25c),
        service: "acme.everything",
        name: "plain",
        docs: "",
        args: &[],
        response: __vox::ReplyWire::<Summary, ::core::convert::Infallible>::CROSSES
            .shape(),
        policy: __vox::RetryPolicy::VOLATILE,
        timeout: ::core::option::Option::None,
    };
    const __VOX_SERVICE: renamed::vox::ServiceDescriptor = renamed::vox::ServiceDescriptor {
        name: "acme.everything",
        docs: "",
        methods: &[
            #[cfg(feature = "extra")]
            __VOX_METHOD_0,
            __VOX_METHOD_1,
            __VOX_METHOD_2,
        ],
    };
    impl renamed::vox::Client for EverythingClient {
        const SERVICE: ::core::option::Option<
            &'static renamed::vox::ServiceDescriptor,
        > = ::core::option::Option::Some(EverythingClient::SERVICE);
        fn from_caller(caller: renamed::vox::Caller) -> Self {
            EverythingClient { caller }
        }
        fn caller(&self) -> &renamed::vox::Caller {
            &self.caller
        }
    }
    impl ::core::clone::Clone for EverythingClient {
        fn clone(&self) -> Self {
            EverythingClient {
                caller: ::core::clone::Clone::clone(&self.caller),
            }
        }
    }
    impl ::core::fmt::Debug for EverythingClient {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("EverythingClient").finish_non_exhaustive()
        }
    }
    impl<H> ::core::clone::Clone for EverythingDispatcher<H> {
        fn clone(&self) -> Self {
            EverythingDispatcher {
                handler: ::core::clone::Clone::clone(&self.handler),
            }
        }
    }
    impl<H> ::core::fmt::Debug for EverythingDispatcher<H> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("EverythingDispatcher").finish_non_exhaustive()
        }
    }
    impl EverythingClient {
        ///What [`Everything`] looks like on the wire.
        pub(crate) const SERVICE: &'static renamed::vox::ServiceDescriptor = &__VOX_SERVICE;
        #[cfg(feature = "extra")]
        #[deprecated]
        ///Calls `acme.everything.do`.
        pub(crate) fn do_it(
            &self,
            name: &str,
            bytes: &[u8],
            r#type: Vec<Option<Kind>>,
        ) -> renamed::vox::Call<
            <__VoxOutcome0 as __vox::Returned>::Ok,
            <__VoxOutcome0 as __vox::Returned>::Err,
        > {
            let mut call = self.caller.call(&__VOX_METHOD_0);
            call.str(name);
            call.bytes(bytes);
            call.arg(&__VOX_PLAN_0_2, &r#type);
            call.finish(&__VOX_REPLY_0)
        }
        ///Calls `acme.everything.watchAll`.
        pub(crate) fn watch_all(
            &self,
            args: u64,
            handler: Tx<Event>,
            call: [u8; 4],
        ) -> renamed::vox::Call<(), ::core::convert::Infallible> {
            let mut call_ = self.caller.call(&__VOX_METHOD_1);
            call_.arg(&__VOX_PLAN_1_0, &args);
            call_.arg(&__VOX_PLAN_1_1, &handler);
            call_.arg(&__VOX_PLAN_1_2, &call);
            call_.finish(&__VOX_REPLY_1)
        }
        ///Calls `acme.everything.plain`.
        pub(crate) fn plain(
            &self,
        ) -> renamed::vox::Call<Summary, ::core::convert::Infallible> {
            self.caller.call(&__VOX_METHOD_2).finish(&__VOX_REPLY_2)
        }
    }
    impl<H: Everything> EverythingDispatcher<H> {
        /// Serves `handler`.
        pub(crate) fn new(handler: H) -> Self {
            EverythingDispatcher {
                handler: ::std::sync::Arc::new(handler),
            }
        }
        /// Serves a `handler` that others hold too.
        pub(crate) fn from_arc(handler: ::std::sync::Arc<H>) -> Self {
            EverythingDispatcher { handler }
        }
    }
    impl<H: Everything> renamed::vox::Dispatcher for EverythingDispatcher<H> {
        fn service(&self) -> &'static renamed::vox::ServiceDescriptor {
            EverythingClient::SERVICE
        }
        fn dispatch(&self, call: __vox::Incoming) -> __vox::Hosted {
            match call.method() {
                #[cfg(feature = "extra")]
                __vox::MethodId(0xa8a6d1c94c02f9b1) => {
                    let handler = ::core::clone::Clone::clone(&self.handler);
                    call.host(
                        &__VOX_METHOD_0,
                        &__VOX_REPLY_0,
                        move |mut args| async move {
                            let name = args.read_str()?;
                            let bytes = args.read_bytes()?;
                            let r#type = args.read(&__VOX_PLAN_0_2)?;
                            args.finish()?;
                            ::core::result::Result::Ok(
                                <__VoxOutcome0 as __vox::Returned>::into_result(
                                    <H as Everything>::do_it(
                                            &*handler,
                                            args.context(),
                                            args.str(name),
                                            args.bytes(bytes),
                                            r#type,
                                        )
                                        .await,
                                ),
                            )
                        },
                    )
                }
                __vox::MethodId(0x14dc8fab6d8d2d06) => {
                    let handler_ = ::core::clone::Clone::clone(&self.handler);
                    call.host(
                        &__VOX_METHOD_1,
                        &__VOX_REPLY_1,
                        move |mut args_| async move {
                            let args = args_.read(&__VOX_PLAN_1_0)?;
                            let handler = args_.read(&__VOX_PLAN_1_1)?;
                            let call = args_.read(&__VOX_PLAN_1_2)?;
                            args_.finish()?;
                            ::core::result::Result::Ok(
                                ::core::result::Result::Ok(
                                    <H as Everything>::watch_all(
                                            &*handler_,
                                            args,
                                            handler,
                                            call,
                                        )
                                        .await,
                                ),
                            )
                        },
                    )
                }
                __vox::MethodId(0x3dd48b2f26e9d25c) => {
                    let handler = ::core::clone::Clone::clone(&self.handler);
                    call.host(
                        &__VOX_METHOD_2,
                        &__VOX_REPLY_2,
                        move |mut args| async move {
                            args.finish()?;
                            ::core::result::Result::Ok(
                                ::core::result::Result::Ok(
                                    <H as Everything>::plain(&*handler).await,
                                ),
                            )
                        },
                    )
                }
                _ => call.unknown_method(),
            }
        }
    }
};
