// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace stile::sip {

// Header fields with a meaning to somebody; every other one is Other and known by its text. Both
// the long and the compact form of a name give the same value, in any case. RFC 3261 Section 7.3.1.
enum class HeaderName : std::uint8_t {
    Accept,
    AcceptContact,
    AcceptEncoding,
    AcceptLanguage,
    AlertInfo,
    Allow,
    AllowEvents,
    AuthenticationInfo,
    Authorization,
    CallId,
    CallInfo,
    Contact,
    ContentDisposition,
    ContentEncoding,
    ContentId,
    ContentLanguage,
    ContentLength,
    ContentType,
    CSeq,
    Date,
    Encryption,
    ErrorInfo,
    Event,
    Expires,
    FlowTimer,
    From,
    FeatureCaps,
    HistoryInfo,
    Identity,
    InfoPackage,
    InReplyTo,
    Join,
    MaxBreadth,
    MaxForwards,
    MimeVersion,
    MinExpires,
    MinSe,
    Organization,
    PAccessNetworkInfo,
    PAssertedIdentity,
    Path,
    PPreferredIdentity,
    Priority,
    Privacy,
    ProxyAuthenticate,
    ProxyAuthenticationInfo,
    ProxyAuthorization,
    ProxyRequire,
    RAck,
    Reason,
    RecordRoute,
    RecvInfo,
    ReferredBy,
    ReferSub,
    ReferTo,
    RejectContact,
    Replaces,
    ReplyTo,
    RequestDisposition,
    Require,
    RetryAfter,
    Route,
    RSeq,
    Server,
    ServiceRoute,
    SessionExpires,
    SessionId,
    SipEtag,
    SipIfMatch,
    Subject,
    SubscriptionState,
    Supported,
    SuppressIfMatch,
    TargetDialog,
    Timestamp,
    To,
    Unsupported,
    UserAgent,
    Via,
    Warning,
    WwwAuthenticate,
    Other,
};

// How a header field's values may be written. RFC 3261 Section 7.3.1.
enum class ValueForm : std::uint8_t {
    Single,  // one value, in one line
    List,    // comma-separated values, in any number of lines
    Lines,   // any number of lines with one value each, never combined (the authentication fields)
};

// Other for an unknown name.
HeaderName header_name_of(std::string_view text);
// The long form: "Call-ID". Requires: name is not Other.
std::string_view header_text(HeaderName name);
// Other is Lines: nothing is known of its grammar.
ValueForm value_form(HeaderName name);

}  // namespace stile::sip
