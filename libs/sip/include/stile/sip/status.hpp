// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace stile::sip {

// A response's status code, 100 to 699. RFC 3261 Section 21.
struct Status {
    std::uint16_t code = 0;

    constexpr bool is_provisional() const { return code < 200; }
    constexpr bool is_final() const { return code >= 200; }
    constexpr bool is_success() const { return code >= 200 && code < 300; }
    constexpr bool is_redirection() const { return code >= 300 && code < 400; }
    constexpr bool is_failure() const { return code >= 400; }
    constexpr bool is_global_failure() const { return code >= 600; }
    friend constexpr auto operator<=>(Status, Status) = default;
};

namespace status {
inline constexpr Status Trying{100};
inline constexpr Status Ringing{180};
inline constexpr Status CallIsBeingForwarded{181};
inline constexpr Status Queued{182};
inline constexpr Status SessionProgress{183};
inline constexpr Status EarlyDialogTerminated{199};
inline constexpr Status Ok{200};
inline constexpr Status Accepted{202};
inline constexpr Status NoNotification{204};
inline constexpr Status MultipleChoices{300};
inline constexpr Status MovedPermanently{301};
inline constexpr Status MovedTemporarily{302};
inline constexpr Status UseProxy{305};
inline constexpr Status AlternativeService{380};
inline constexpr Status BadRequest{400};
inline constexpr Status Unauthorized{401};
inline constexpr Status PaymentRequired{402};
inline constexpr Status Forbidden{403};
inline constexpr Status NotFound{404};
inline constexpr Status MethodNotAllowed{405};
inline constexpr Status NotAcceptable{406};
inline constexpr Status ProxyAuthenticationRequired{407};
inline constexpr Status RequestTimeout{408};
inline constexpr Status Gone{410};
inline constexpr Status ConditionalRequestFailed{412};
inline constexpr Status RequestEntityTooLarge{413};
inline constexpr Status RequestUriTooLong{414};
inline constexpr Status UnsupportedMediaType{415};
inline constexpr Status UnsupportedUriScheme{416};
inline constexpr Status BadExtension{420};
inline constexpr Status ExtensionRequired{421};
inline constexpr Status SessionIntervalTooSmall{422};
inline constexpr Status IntervalTooBrief{423};
inline constexpr Status UseIdentityHeader{428};
inline constexpr Status FlowFailed{430};
inline constexpr Status BadIdentityInfo{436};
inline constexpr Status UnsupportedCredential{437};
inline constexpr Status InvalidIdentityHeader{438};
inline constexpr Status FirstHopLacksOutboundSupport{439};
inline constexpr Status MaxBreadthExceeded{440};
inline constexpr Status BadInfoPackage{469};
inline constexpr Status TemporarilyUnavailable{480};
inline constexpr Status CallOrTransactionDoesNotExist{481};
inline constexpr Status LoopDetected{482};
inline constexpr Status TooManyHops{483};
inline constexpr Status AddressIncomplete{484};
inline constexpr Status Ambiguous{485};
inline constexpr Status BusyHere{486};
inline constexpr Status RequestTerminated{487};
inline constexpr Status NotAcceptableHere{488};
inline constexpr Status BadEvent{489};
inline constexpr Status RequestPending{491};
inline constexpr Status Undecipherable{493};
inline constexpr Status ServerInternalError{500};
inline constexpr Status NotImplemented{501};
inline constexpr Status BadGateway{502};
inline constexpr Status ServiceUnavailable{503};
inline constexpr Status ServerTimeout{504};
inline constexpr Status VersionNotSupported{505};
inline constexpr Status MessageTooLarge{513};
inline constexpr Status PushNotificationServiceNotSupported{555};
inline constexpr Status BusyEverywhere{600};
inline constexpr Status Decline{603};
inline constexpr Status DoesNotExistAnywhere{604};
inline constexpr Status NotAcceptableAnywhere{606};
}  // namespace status

// The phrase that the defining RFC recommends; for an unknown code that of its class (x00).
std::string_view default_reason(Status status);

}  // namespace stile::sip
