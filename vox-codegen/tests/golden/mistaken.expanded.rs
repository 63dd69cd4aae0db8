::core::compile_error! {
    "`not_async` is not `async`, but its answer comes from afar\nhelp: write `async fn not_async`"
}
::core::compile_error! {
    "`not_async` cannot be generic over `T`: the peer must know the type\nhelp: write one method for each type, or take an enum"
}
::core::compile_error! {
    "`not_async` takes `&mut self`, but calls run side by side\nhelp: write `&self`, and keep what changes in a `Mutex` or an atomic"
}
::core::compile_error! {
    "an argument of `not_async` is a pattern, but it is called by one name on the wire\nhelp: write a name here, and take the value apart in the `impl`"
}
::core::compile_error! {
    "the result of `not_async` contains the channel `Rx`\nhelp: take the channel as an argument: `vox::Tx<T>` to send to the caller, `vox::Rx<T>` to receive from it"
}
::core::compile_error! {
    "a service trait cannot have the associated type `Handle`: a client could not know it\nhelp: name a concrete type in the methods"
}
#[allow(async_fn_in_trait, dead_code, unused_variables)]
pub trait Mistaken {
    async fn sound(&self, cx: &vox::Context, account: u64) -> Result<u64, BankError>;
    fn not_async<T>(&mut self, __arg1: (u64, u64), value: T) -> vox::Rx<u64>;
    type Handle;
}
/**Calls the service `Mistaken`: one method for each of [`Mistaken`]'s.

Cloning is cheap; clones share the connection.*/
#[allow(dead_code)]
pub struct MistakenClient {
    __caller: ::vox::Caller,
}
///Serves the service `Mistaken` by an implementation of [`Mistaken`].
#[allow(dead_code)]
pub struct MistakenDispatcher<H> {
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
    use __vox::{NotResult as _, Returned as _};
    impl ::vox::Client for MistakenClient {
        const SERVICE: ::core::option::Option<
            &'static ::vox::descriptor::ServiceDescriptor,
        > = ::core::option::Option::Some(MistakenClient::SERVICE);
        fn from_caller(__caller: ::vox::Caller) -> Self {
            MistakenClient { __caller }
        }
        fn caller(&self) -> &::vox::Caller {
            &self.__caller
        }
    }
    impl ::core::clone::Clone for MistakenClient {
        fn clone(&self) -> Self {
            MistakenClient {
                __caller: ::core::clone::Clone::clone(&self.__caller),
            }
        }
    }
    impl ::core::fmt::Debug for MistakenClient {
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("MistakenClient").finish_non_exhaustive()
        }
    }
    impl<H> ::core::clone::Clone for MistakenDispatcher<H> {
        fn clone(&self) -> Self {
            MistakenDispatcher {
                handler: ::core::clone::Clone::clone(&self.handler),
            }
        }
    }
    impl<H> ::core::fmt::Debug for MistakenDispatcher<H> {
        fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __f.debug_struct("MistakenDispatcher").finish_non_exhaustive()
        }
    }
    impl MistakenClient {
        pub const SERVICE: &'static ::vox::descriptor::ServiceDescriptor = &::vox::descriptor::ServiceDescriptor {
            name: "Mistaken",
            docs: "",
            methods: &[],
        };
        pub fn sound(&self, account: u64) -> ::vox::Call<u64, BankError> {
            ::core::panic!("the service has mistakes")
        }
        pub fn not_async<T>(
            &self,
            __arg1: (u64, u64),
            value: T,
        ) -> ::vox::Call<vox::Rx<u64>, __vox::Never> {
            ::core::panic!("the service has mistakes")
        }
        pub fn over_memory<__VoxH>(__handler: __VoxH) -> ::vox::Connect<MistakenClient> {
            ::core::panic!("the service has mistakes")
        }
    }
    impl<H> MistakenDispatcher<H> {
        pub fn new(__handler: H) -> Self {
            MistakenDispatcher {
                handler: ::std::sync::Arc::new(__handler),
            }
        }
        pub fn from_arc(__handler: ::std::sync::Arc<H>) -> Self {
            MistakenDispatcher {
                handler: __handler,
            }
        }
    }
    impl<H: ::core::marker::Send + ::core::marker::Sync + 'static> ::vox::Dispatcher
    for MistakenDispatcher<H> {
        fn service(&self) -> &'static ::vox::descriptor::ServiceDescriptor {
            MistakenClient::SERVICE
        }
        fn dispatch(&self, __call: __vox::Incoming<'_>) -> __vox::HandlerFuture {
            __call.accept().1.unknown_method()
        }
    }
};
