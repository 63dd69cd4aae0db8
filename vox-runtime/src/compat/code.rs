//! The kinds of changes, each with a code that stays.

use std::fmt;

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $explanation:literal;)*) => {
        /// A kind of change, by a code that stays the same from version to version.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code itself, like `VX-302`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What has changed, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }

            /// What follows from it, and what to do.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => $explanation,)*
                }
            }
        }
    };
}

codes! {
    MethodAdded "VX-101" "a method was added"
        "A server that does not have the method answers `UnknownMethod`. Upgrade the servers first.";
    MethodRemoved "VX-102" "a method was removed"
        "A client that still calls the method is answered `UnknownMethod`. Upgrade the clients first.";
    ArgumentAdded "VX-201" "an argument was added"
        "A server reads a call without the argument if it is an `Option` or has a default. Otherwise clients without it refuse to call: upgrade the clients first. A channel must be there on both ends.";
    ArgumentRemoved "VX-202" "an argument was removed"
        "A server passes over an argument that it does not have. A server that has the argument must do without it, or it is upgraded first. A channel must be there on both ends.";
    ArgumentsMoved "VX-203" "the arguments are in another order"
        "Arguments go by their names. Nothing is to do.";
    FieldAdded "VX-301" "a field was added"
        "Who does not send the field must be read with a default: make it an `Option`, or give it `#[facet(default)]`.";
    FieldRemoved "VX-302" "a field was removed"
        "Who still sends the field is read without it. Who still reads it must do without it: it was an `Option`, or had a default.";
    FieldsMoved "VX-303" "the fields are in another order"
        "Fields go by their names. Nothing is to do.";
    KeyChanged "VX-304" "a key has a field more or less"
        "Two keys that differ in the field alone would become one, and a value would be lost. Keep the fields of keys of maps and of items of sets.";
    ChannelField "VX-305" "a field with a channel was added or removed"
        "A channel has two ends. Make a second method, or keep the field.";
    DefaultChanged "VX-306" "a default was given or taken away"
        "Both ends have it, so nothing changes now. What may be removed later does.";
    VariantAdded "VX-311" "a variant was added"
        "Who does not know the variant ends the reading with an error that names it. Upgrade those that read it first.";
    VariantRemoved "VX-312" "a variant was removed"
        "Who still sends the variant is not understood. Upgrade those that send it first.";
    VariantsMoved "VX-313" "the variants are in another order"
        "Variants go by their names. Nothing is to do.";
    Widened "VX-321" "an integer became wider"
        "Each value of the narrower type is one of the wider. The other way it is refused: upgrade those that read it first.";
    Narrowed "VX-322" "an integer became narrower"
        "Not every value of the wider type is one of the narrower. Upgrade those that send it first.";
    ArrayLength "VX-323" "an array has another length"
        "An array has as many items as its type says. Send a list, or make a second method.";
    ChannelTurned "VX-324" "a channel goes the other way"
        "Both ends would send, or both would wait. Make a second method.";
    Optional "VX-325" "a type became an option, or is one no more"
        "`T` and `Option<T>` are written differently. Add a field beside it.";
    OtherType "VX-326" "a type became another"
        "Nothing that is written as the one is read as the other. Add a field or a method, and keep the old one.";
    Apart "VX-327" "a type has no part left of those that it had"
        "No field, or no variant, has the name of one that was there before. If they were renamed, keep the old names on the wire: `#[facet(rename = \"old\")]`.";
    IdemAdded "VX-401" "a method became `idem`"
        "New clients call it again where an old server may have run it already. Upgrade the servers first.";
    IdemRemoved "VX-402" "a method is `idem` no more"
        "Old clients call it again, though it may have run already. Upgrade the clients first.";
    PersistAdded "VX-403" "a method became `persist`"
        "New clients count on an outcome that old servers do not keep. Upgrade the servers first.";
    PersistRemoved "VX-404" "a method is `persist` no more"
        "Old clients count on an outcome that is kept no more. Upgrade the clients first.";
    TimeoutChanged "VX-405" "a method has another timeout"
        "A call that sets none has the timeout of its client's version.";
    TypeRenamed "VX-501" "a type was renamed"
        "Names of types do not cross the wire. It concerns those who compile against the trait.";
    KeptOutcome "VX-601" "outcomes that were kept cannot be read"
        "A server keeps the outcomes of a `persist` method as the version wrote them that ran it. Who asks for one after the upgrade gets an error. Keep what the response was, or wait until the store has let go of the outcomes.";
}

impl Code {
    /// The one that is written so.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
