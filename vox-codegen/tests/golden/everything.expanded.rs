use renamed::vox::__private as __vox_Everything;
#[allow(unused_qualifications)]
pub(crate) trait Everything: Debug + ::core::marker::Send + ::core::marker::Sync + 'static {
    #[cfg(feature = "extra")]
    #[deprecated]
    fn do_it(
        &self,
        cx: &vox::Context,
        name: &str,
        bytes: &[u8],
        r#type: Vec<Option<Kind>>,
    ) -> impl __vox_Everything::SendFuture<Output = io::Result<u64>>;
    fn watch_all(
        &self,
        args: u64,
        handler: Tx<Event>,
        call: [u8; 4],
    ) -> impl __vox_Everything::SendFuture<Output = ()>;
    fn plain(&self) -> impl __vox_Everything::SendFuture<Output = Summary>;
}
/**Calls the service `acme.everything`: one method for each of [`Everything`]'s.

Cloning is cheap; clones share the connection.*/
#[allow(dead_code)]
pub(crate) struct EverythingClient {
    __caller: __vox_Everything::Caller,
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
    use __vox_Everything as __vox;
    #[allow(unused_imports)]
    use __vox::{NotResult as _, NotSend as _, Returned as _, NotFacet as _};
    #[cfg(feature = "extra")]
    static __VOX_PLAN_0_0: __vox::Plan<::std::string::String> = __vox::Wire::<
        ::std::string::String,
    >::CROSSES
        .argument("name", "Everything::do_it", "::std::string::String");
    #[cfg(feature = "extra")]
    static __VOX_PLAN_0_1: __vox::Plan<::std::vec::Vec<u8>> = __vox::Wire::<
        ::std::vec::Vec<u8>,
    >::CROSSES
        .argument("bytes", "Everything::do_it", "::std::vec::Vec<u8>");
    #[cfg(feature = "extra")]
    static __VOX_PLAN_0_2: __vox::Plan<Vec<Option<Kind>>> = {
        let __whole = __vox::Wire::<Vec<Option<Kind>>>::CROSSES;
        __vox::Wire::<Kind>::CROSSES
            .require(__whole, "argument `type`", "Everything::do_it", "Kind");
        __vox::Wire::<Option<Kind>>::CROSSES
            .require(__whole, "argument `type`", "Everything::do_it", "Option<Kind>");
        __whole
            .sent(
                __vox::IsSend::<Vec<Option<Kind>>>::VALUE,
                "type",
                "Everything::do_it",
                "Vec<Option<Kind>>",
            )
    };
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
        __vox::Wire::<<__VoxOutcome0 as __vox::Returned>::Ok>::CROSSES
            .inside("result", "Everything::do_it", "io::Result<u64>"),
        __vox::Wire::<<__VoxOutcome0 as __vox::Returned>::Err>::CROSSES
            .inside("error", "Everything::do_it", "io::Result<u64>"),
    );
    #[cfg(feature = "extra")]
    static __VOX_METHOD_0: __vox::MethodDescriptor = __vox::MethodDescriptor {
        args: &[
            __vox::Wire::<::std::string::String>::CROSSES
                .arg("name", || __VOX_PLAN_0_0.channels()),
            __vox::Wire::<::std::vec::Vec<u8>>::CROSSES
                .arg("bytes", || __VOX_PLAN_0_1.channels()),
            __vox::Wire::<Vec<Option<Kind>>>::CROSSES
                .arg("type", || __VOX_PLAN_0_2.channels()),
        ],
        response: __vox::ReplyWire::<
            <__VoxOutcome0 as __vox::Returned>::Ok,
            <__VoxOutcome0 as __vox::Returned>::Err,
        >::CROSSES
            .shape(),
        policy: __vox::RetryPolicy::PERSIST,
        carried: |__outcome, __schema| __VOX_REPLY_0.carried(__outcome, __schema),
        timeout: ::core::option::Option::Some(::core::time::Duration::from_millis(50)),
        ..__vox::method(0xa8a6d1c94c02f9b1, "acme.everything", "do")
    };
    static __VOX_PLAN_1_0: __vox::Plan<u64> = __vox::Wire::<u64>::CROSSES
        .argument("args", "Everything::watch_all", "u64");
    static __VOX_PLAN_1_1: __vox::Plan<Tx<Event>> = {
        let __whole = __vox::Wire::<Tx<Event>>::CROSSES;
        __vox::Wire::<Event>::CROSSES
            .require(__whole, "argument `handler`", "Everything::watch_all", "Event");
        __whole
            .sent(
                __vox::IsSend::<Tx<Event>>::VALUE,
                "handler",
                "Everything::watch_all",
                "Tx<Event>",
            )
    };
    static __VOX_PLAN_1_2: __vox::Plan<[u8; 4]> = __vox::Wire::<[u8; 4]>::CROSSES
        .sent(
            __vox::IsSend::<[u8; 4]>::VALUE,
            "call",
            "Everything::watch_all",
            "[u8; 4]",
        );
    static __VOX_REPLY_1: __vox::Reply<(), __vox::Never> = __vox::Reply::new(
        __vox::Wire::<()>::CROSSES,
        __vox::Wire::<__vox::Never>::CROSSES,
    );
    static __VOX_METHOD_1: __vox::MethodDescriptor = __vox::MethodDescriptor {
        args: &[
            __vox::Wire::<u64>::CROSSES.arg("args", || __VOX_PLAN_1_0.channels()),
            __vox::Wire::<Tx<Event>>::CROSSES
                .arg("handler", || __VOX_PLAN_1_1.channels()),
            __vox::Wire::<[u8; 4]>::CROSSES.arg("call", || __VOX_PLAN_1_2.channels()),
        ],
        ..__vox::method(0x14dc8fab6d8d2d06, "acme.everything", "watchAll")
    };
    static __VOX_REPLY_2: __vox::Reply<Summary, __vox::Never> = __vox::Reply::new(
        __vox::Wire::<Summary>::CROSSES
            .plain(__vox::IsResult::<Summary>::VALUE, "Everything::plain", "Summary"),
        __vox::Wire::<__vox::Never>::CROSSES,
    );
    static __VOX_METHOD_2: __vox::MethodDescriptor = __vox::MethodDescriptor {
        response: __vox::ReplyWire::<Summary, __vox::Never>::CROSSES.shape(),
        ..__vox::method(0x3dd48b2f26e9d25c, "acme.everything", "plain")
    };
    static __VOX_SERVICE: __vox_Everything::descriptor::ServiceDescriptor = __vox_Everything::descriptor::ServiceDescriptor {
        name: "acme.everything",
        docs: "",
        methods: &[
            #[cfg(feature = "extra")]
            __vox::listed(&__VOX_METHOD_0),
            __vox::listed(&__VOX_METHOD_1),
            __vox::listed(&__VOX_METHOD_2),
        ],
    };
    impl __vox_Everything::Client for EverythingClient {
        const SERVICE: ::core::option::Option<
            &'static __vox_Everything::descriptor::ServiceDescriptor,
        > = ::core::option::Option::Some(EverythingClient::SERVICE);
        fn from_caller(__caller: __vox_Everything::Caller) -> Self {
            EverythingClient { __caller }
        }
        fn caller(&self) -> &__vox_Everything::Caller {
            &self.__caller
        }
    }
    impl ::core::clone::Clone for EverythingClient {
        fn clone(&self) -> Self {
            EverythingClient {
                __caller: ::core::clone::Clone::clone(&self.__caller),
            }
        }
    }
    impl ::core::fmt::Debug for EverythingClient {
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("EverythingClient").finish_non_exhaustive()
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
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("EverythingDispatcher").finish_non_exhaustive()
        }
    }
    impl EverythingClient {
        ///What [`Everything`] looks like on the wire.
        pub(crate) const SERVICE: &'static __vox_Everything::descriptor::ServiceDescriptor = &__VOX_SERVICE;
        #[cfg(feature = "extra")]
        #[deprecated]
        pub(crate) fn do_it(
            &self,
            name: &str,
            bytes: &[u8],
            r#type: Vec<Option<Kind>>,
        ) -> __vox_Everything::Call<
            <__VoxOutcome0 as __vox::Returned>::Ok,
            <__VoxOutcome0 as __vox::Returned>::Err,
        > {
            let mut __call = self.__caller.call(&__VOX_METHOD_0);
            __call.str(name);
            __call.bytes(bytes);
            __call.arg(&__VOX_PLAN_0_2, r#type);
            __call.finish(&__VOX_REPLY_0)
        }
        pub(crate) fn watch_all(
            &self,
            args: u64,
            handler: Tx<Event>,
            call: [u8; 4],
        ) -> __vox_Everything::Call<(), __vox::Never> {
            let mut __call = self.__caller.call(&__VOX_METHOD_1);
            __call.arg(&__VOX_PLAN_1_0, args);
            __call.arg(&__VOX_PLAN_1_1, handler);
            __call.arg(&__VOX_PLAN_1_2, call);
            __call.finish(&__VOX_REPLY_1)
        }
        pub(crate) fn plain(&self) -> __vox_Everything::Call<Summary, __vox::Never> {
            self.__caller.call(&__VOX_METHOD_2).finish(&__VOX_REPLY_2)
        }
    }
    impl<H: Everything> EverythingDispatcher<H> {
        /// Serves a handler, or one in an `Arc`, which others may hold too.
        pub(crate) fn new<__VoxHow>(
            __handler: impl __vox::IntoHandler<EverythingClient, __VoxHow, Handler = H>,
        ) -> Self {
            EverythingDispatcher {
                handler: __vox::IntoHandler::into_handler(__handler),
            }
        }
        /// Serves a handler that others hold too.
        pub(crate) fn from_arc(__handler: ::std::sync::Arc<H>) -> Self {
            EverythingDispatcher {
                handler: __handler,
            }
        }
    }
    impl<H: Everything> __vox::Serves<H> for EverythingClient {}
    impl EverythingClient {
        /**Calls a handler in this process: `EverythingClient::over_memory(handler).await`.

The session is a real one, over memory. The handler is served until the last clone of the client is gone.*/
        pub(crate) fn over_memory<H: Everything, __VoxHow>(
            __handler: impl __vox::IntoHandler<EverythingClient, __VoxHow, Handler = H>,
        ) -> __vox_Everything::Connect<EverythingClient> {
            __vox::over_memory(EverythingDispatcher::new(__handler))
        }
    }
    impl<H: Everything> __vox_Everything::Dispatcher for EverythingDispatcher<H> {
        fn service(&self) -> &'static __vox_Everything::descriptor::ServiceDescriptor {
            EverythingClient::SERVICE
        }
        fn dispatch(&self, __call: __vox::Incoming<'_>) -> __vox::HandlerFuture {
            let __handler = ::core::clone::Clone::clone(&self.handler);
            let (__method, __to, __call) = __call.accept();
            match __method {
                #[cfg(feature = "extra")]
                __vox::MethodId(0xa8a6d1c94c02f9b1) => {
                    let mut __args = __call.args(&__VOX_METHOD_0);
                    __to.host(async move {
                        let __0 = __args.read_str()?;
                        let __1 = __args.read_bytes()?;
                        let __2 = __args.last(&__VOX_PLAN_0_2)?;
                        let __out = <H as Everything>::do_it(
                                &__handler,
                                __args.context(),
                                __args.str(__0),
                                __args.bytes(__1),
                                __2,
                            )
                            .await;
                        __args
                            .answer(
                                &__VOX_REPLY_0,
                                <__VoxOutcome0 as __vox::Returned>::into_result(__out),
                            )
                    })
                }
                __vox::MethodId(0x14dc8fab6d8d2d06) => {
                    let mut __args = __call.args(&__VOX_METHOD_1);
                    __to.host(async move {
                        let __0 = __args.read(&__VOX_PLAN_1_0)?;
                        let __1 = __args.read(&__VOX_PLAN_1_1)?;
                        let __2 = __args.last(&__VOX_PLAN_1_2)?;
                        let __out = <H as Everything>::watch_all(
                                &__handler,
                                __0,
                                __1,
                                __2,
                            )
                            .await;
                        __args.answer_ok(&__VOX_REPLY_1, __out)
                    })
                }
                __vox::MethodId(0x3dd48b2f26e9d25c) => {
                    let mut __args = __call.args(&__VOX_METHOD_2);
                    __to.host(async move {
                        __args.finish()?;
                        let __out = <H as Everything>::plain(&__handler).await;
                        __args.answer_ok(&__VOX_REPLY_2, __out)
                    })
                }
                _ => __to.unknown_method(),
            }
        }
    }
};
