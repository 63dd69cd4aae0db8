#[derive(Debug, Clone, PartialEq, facet::Facet)]
pub struct Book {
    pub title: String,
}
/// Lends books.
pub trait Library: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Lends one.
    fn lend_book(
        &self,
        cx: &vox::Context,
        title: &str,
    ) -> impl ::vox::__private::SendFuture<Output = Result<Book, String>>;
    fn motto(&self) -> impl ::vox::__private::SendFuture<Output = &str>;
}
/**Calls the service `generated.Library`: one method for each of [`Library`]'s.

Cloning is cheap; clones share the connection.*/
#[allow(dead_code)]
pub struct LibraryClient {
    __caller: ::vox::Caller,
}
///Serves the service `generated.Library` by an implementation of [`Library`].
#[allow(dead_code)]
pub struct LibraryDispatcher<H> {
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
    static __VOX_PLAN_0_0: __vox::Plan<::std::string::String> = __vox::Wire::<
        ::std::string::String,
    >::CROSSES
        .argument("title", "Library::lend_book", "::std::string::String");
    static __VOX_REPLY_0: __vox::Reply<Book, String> = __vox::Reply::new(
        __vox::Wire::<Book>::CROSSES.result("Library::lend_book", "Book"),
        __vox::Wire::<String>::CROSSES.error("Library::lend_book", "String"),
    );
    static __VOX_METHOD_0: __vox::MethodDescriptor = __vox::MethodDescriptor {
        docs: "Lends one.",
        args: &[
            __vox::Wire::<::std::string::String>::CROSSES
                .arg("title", || __VOX_PLAN_0_0.channels()),
        ],
        response: __vox::ReplyWire::<Book, String>::CROSSES.shape(),
        policy: __vox::RetryPolicy::IDEM,
        timeout: ::core::option::Option::Some(::core::time::Duration::from_millis(2000)),
        ..__vox::method(0x5d7db22eb50a88d7, "generated.Library", "lendBook")
    };
    static __VOX_REPLY_1: __vox::Reply<::std::string::String, __vox::Never> = __vox::Reply::new(
        __vox::Wire::<::std::string::String>::CROSSES,
        __vox::Wire::<__vox::Never>::CROSSES,
    );
    static __VOX_METHOD_1: __vox::MethodDescriptor = __vox::MethodDescriptor {
        response: __vox::ReplyWire::<::std::string::String, __vox::Never>::CROSSES
            .shape(),
        ..__vox::method(0x9c7bd72b2f2b2500, "generated.Library", "motto")
    };
    static __VOX_SERVICE: ::vox::descriptor::ServiceDescriptor = ::vox::descriptor::ServiceDescriptor {
        name: "generated.Library",
        docs: "Lends books.",
        methods: &[__vox::listed(&__VOX_METHOD_0), __vox::listed(&__VOX_METHOD_1)],
    };
    impl ::vox::Client for LibraryClient {
        const SERVICE: ::core::option::Option<
            &'static ::vox::descriptor::ServiceDescriptor,
        > = ::core::option::Option::Some(LibraryClient::SERVICE);
        fn from_caller(__caller: ::vox::Caller) -> Self {
            LibraryClient { __caller }
        }
        fn caller(&self) -> &::vox::Caller {
            &self.__caller
        }
    }
    impl ::core::clone::Clone for LibraryClient {
        fn clone(&self) -> Self {
            LibraryClient {
                __caller: ::core::clone::Clone::clone(&self.__caller),
            }
        }
    }
    impl ::core::fmt::Debug for LibraryClient {
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("LibraryClient").finish_non_exhaustive()
        }
    }
    impl<H> ::core::clone::Clone for LibraryDispatcher<H> {
        fn clone(&self) -> Self {
            LibraryDispatcher {
                handler: ::core::clone::Clone::clone(&self.handler),
            }
        }
    }
    impl<H> ::core::fmt::Debug for LibraryDispatcher<H> {
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("LibraryDispatcher").finish_non_exhaustive()
        }
    }
    impl LibraryClient {
        ///What [`Library`] looks like on the wire.
        pub const SERVICE: &'static ::vox::descriptor::ServiceDescriptor = &__VOX_SERVICE;
        /// Lends one.
        pub fn lend_book(&self, title: &str) -> ::vox::Call<Book, String> {
            let mut __call = self.__caller.call(&__VOX_METHOD_0);
            __call.str(title);
            __call.finish(&__VOX_REPLY_0)
        }
        pub fn motto(&self) -> ::vox::Call<::std::string::String, __vox::Never> {
            self.__caller.call(&__VOX_METHOD_1).finish(&__VOX_REPLY_1)
        }
    }
    impl<H: Library> LibraryDispatcher<H> {
        /// Serves a handler, or one in an `Arc`, which others may hold too.
        pub fn new<__VoxHow>(
            __handler: impl __vox::IntoHandler<LibraryClient, __VoxHow, Handler = H>,
        ) -> Self {
            LibraryDispatcher {
                handler: __vox::IntoHandler::into_handler(__handler),
            }
        }
        /// Serves a handler that others hold too.
        pub fn from_arc(__handler: ::std::sync::Arc<H>) -> Self {
            LibraryDispatcher {
                handler: __handler,
            }
        }
    }
    impl<H: Library> __vox::Serves<H> for LibraryClient {}
    impl LibraryClient {
        /**Calls a handler in this process: `LibraryClient::over_memory(handler).await`.

The session is a real one, over memory. The handler is served until the last clone of the client is gone.*/
        pub fn over_memory<H: Library, __VoxHow>(
            __handler: impl __vox::IntoHandler<LibraryClient, __VoxHow, Handler = H>,
        ) -> ::vox::Connect<LibraryClient> {
            __vox::over_memory(LibraryDispatcher::new(__handler))
        }
    }
    impl<H: Library> ::vox::Dispatcher for LibraryDispatcher<H> {
        fn service(&self) -> &'static ::vox::descriptor::ServiceDescriptor {
            LibraryClient::SERVICE
        }
        fn dispatch(&self, __call: __vox::Incoming<'_>) -> __vox::HandlerFuture {
            let __handler = ::core::clone::Clone::clone(&self.handler);
            let (__method, __to, __call) = __call.accept();
            match __method {
                __vox::MethodId(0x5d7db22eb50a88d7) => {
                    let mut __args = __call.args(&__VOX_METHOD_0);
                    __to.host(async move {
                        let __0 = __args.read_str()?;
                        __args.finish()?;
                        let __out = <H as Library>::lend_book(
                                &__handler,
                                __args.context(),
                                __args.str(__0),
                            )
                            .await;
                        __args.answer(&__VOX_REPLY_0, __out)
                    })
                }
                __vox::MethodId(0x9c7bd72b2f2b2500) => {
                    let mut __args = __call.args(&__VOX_METHOD_1);
                    __to.host(async move {
                        __args.finish()?;
                        let __out = <H as Library>::motto(&__handler).await;
                        __args
                            .answer_str(
                                &__VOX_REPLY_1,
                                ::core::result::Result::Ok(__out),
                            )
                    })
                }
                _ => __to.unknown_method(),
            }
        }
    }
};
