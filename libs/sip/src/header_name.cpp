// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>
#include <stile/sip/header_name.hpp>

#include <array>
#include <cstring>
#include <utility>

namespace stile::sip {
namespace {

using enum HeaderName;
using enum ValueForm;

struct Entry {
    HeaderName name;
    std::string_view text;
    ValueForm form;
    char compact = 0;
};

// In the order of the enum. Forms by each field's own grammar; compact forms by the IANA registry.
constexpr std::array entries{
    Entry{Accept, "Accept", List},
    Entry{AcceptContact, "Accept-Contact", List, 'a'},
    Entry{AcceptEncoding, "Accept-Encoding", List},
    Entry{AcceptLanguage, "Accept-Language", List},
    Entry{AlertInfo, "Alert-Info", List},
    Entry{Allow, "Allow", List},
    Entry{AllowEvents, "Allow-Events", List, 'u'},
    Entry{AuthenticationInfo, "Authentication-Info", Lines},
    Entry{Authorization, "Authorization", Lines},
    Entry{CallId, "Call-ID", Single, 'i'},
    Entry{CallInfo, "Call-Info", List},
    Entry{HeaderName::Contact, "Contact", List, 'm'},
    Entry{ContentDisposition, "Content-Disposition", Single},
    Entry{ContentEncoding, "Content-Encoding", List, 'e'},
    Entry{ContentId, "Content-ID", Single},
    Entry{ContentLanguage, "Content-Language", List},
    Entry{ContentLength, "Content-Length", Single, 'l'},
    Entry{ContentType, "Content-Type", Single, 'c'},
    Entry{HeaderName::CSeq, "CSeq", Single},
    Entry{Date, "Date", Single},
    Entry{Encryption, "Encryption", Single},
    Entry{ErrorInfo, "Error-Info", List},
    Entry{Event, "Event", Single, 'o'},
    Entry{Expires, "Expires", Single},
    Entry{FlowTimer, "Flow-Timer", Single},
    Entry{From, "From", Single, 'f'},
    Entry{FeatureCaps, "Feature-Caps", List},
    Entry{HistoryInfo, "History-Info", List},
    Entry{Identity, "Identity", Lines, 'y'},
    Entry{InfoPackage, "Info-Package", Single},
    Entry{InReplyTo, "In-Reply-To", List},
    Entry{Join, "Join", Single},
    Entry{MaxBreadth, "Max-Breadth", Single},
    Entry{MaxForwards, "Max-Forwards", Single},
    Entry{MimeVersion, "MIME-Version", Single},
    Entry{MinExpires, "Min-Expires", Single},
    Entry{MinSe, "Min-SE", Single},
    Entry{Organization, "Organization", Single},
    Entry{PAccessNetworkInfo, "P-Access-Network-Info", List},
    Entry{PAssertedIdentity, "P-Asserted-Identity", List},
    Entry{Path, "Path", List},
    Entry{PPreferredIdentity, "P-Preferred-Identity", List},
    Entry{Priority, "Priority", Single},
    Entry{Privacy, "Privacy", Single},
    Entry{ProxyAuthenticate, "Proxy-Authenticate", Lines},
    Entry{ProxyAuthenticationInfo, "Proxy-Authentication-Info", Lines},
    Entry{ProxyAuthorization, "Proxy-Authorization", Lines},
    Entry{ProxyRequire, "Proxy-Require", List},
    Entry{HeaderName::RAck, "RAck", Single},
    Entry{HeaderName::Reason, "Reason", List},
    Entry{RecordRoute, "Record-Route", List},
    Entry{RecvInfo, "Recv-Info", List},
    Entry{ReferredBy, "Referred-By", Single, 'b'},
    Entry{ReferSub, "Refer-Sub", Single},
    Entry{ReferTo, "Refer-To", Single, 'r'},
    Entry{RejectContact, "Reject-Contact", List, 'j'},
    Entry{Replaces, "Replaces", Single},
    Entry{ReplyTo, "Reply-To", Single},
    Entry{RequestDisposition, "Request-Disposition", List, 'd'},
    Entry{Require, "Require", List},
    Entry{HeaderName::RetryAfter, "Retry-After", Single},
    Entry{Route, "Route", List},
    Entry{RSeq, "RSeq", Single},
    Entry{Server, "Server", Single},
    Entry{ServiceRoute, "Service-Route", List},
    Entry{SessionExpires, "Session-Expires", Single, 'x'},
    Entry{SessionId, "Session-ID", Single},
    Entry{SipEtag, "SIP-ETag", Single},
    Entry{SipIfMatch, "SIP-If-Match", Single},
    Entry{Subject, "Subject", Single, 's'},
    Entry{SubscriptionState, "Subscription-State", Single},
    Entry{Supported, "Supported", List, 'k'},
    Entry{SuppressIfMatch, "Suppress-If-Match", Single},
    Entry{TargetDialog, "Target-Dialog", Single},
    Entry{Timestamp, "Timestamp", Single},
    Entry{To, "To", Single, 't'},
    Entry{Unsupported, "Unsupported", List},
    Entry{UserAgent, "User-Agent", Single},
    Entry{HeaderName::Via, "Via", List, 'v'},
    Entry{Warning, "Warning", List},
    Entry{WwwAuthenticate, "WWW-Authenticate", Lines},
};
static_assert(entries.size() == std::to_underlying(Other));
static_assert([] {
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (std::to_underlying(entries[i].name) != i) return false;
    }
    return true;
}());

// A table without collisions, so that a name, known or not, is compared with one other at most.
constexpr std::size_t buckets = 512;

// The factors were found by trial; another set is due when a new field makes the table's assertion
// fail. The bit is what tells upper from lower case; of a hyphen it is set anyway.
constexpr std::size_t hash(std::string_view text) {
    const auto at = [text](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(text.data()[i])) | 0x20;
    };
    const std::size_t last = text.size() - 1;
    return (text.size() * 4 + at(0) * 69 + at(last) * 82 + at(last / 2) * 111) % buckets;
}

template <class Word>
bool same(const char* left, const char* right) {
    Word one;
    Word other;
    std::memcpy(&one, left, sizeof one);
    std::memcpy(&other, right, sizeof other);
    return one == other;
}

// Of the same length. Words that overlap in place of a loop over octets: nearly every name has the
// spelling of the RFC.
bool same_spelling(std::string_view left, std::string_view right) {
    const std::size_t size = left.size();
    const char* const mine = left.data();
    const char* const theirs = right.data();
    if (size >= 8) {
        for (std::size_t i = 0; i + 8 < size; i += 8) {
            if (!same<std::uint64_t>(mine + i, theirs + i)) return false;
        }
        return same<std::uint64_t>(mine + size - 8, theirs + size - 8);
    }
    if (size >= 4) {
        return same<std::uint32_t>(mine, theirs) &&
               same<std::uint32_t>(mine + size - 4, theirs + size - 4);
    }
    return left == right;
}

consteval std::array<HeaderName, buckets> make_table() {
    std::array<HeaderName, buckets> table{};
    table.fill(Other);
    for (const Entry& entry : entries) {
        STILE_ASSERT(table[hash(entry.text)] == Other);
        table[hash(entry.text)] = entry.name;
    }
    return table;
}
constexpr std::array<HeaderName, buckets> table = make_table();

constexpr std::array<HeaderName, 26> make_compact() {
    std::array<HeaderName, 26> compact{};
    compact.fill(Other);
    for (const Entry& entry : entries) {
        if (entry.compact != 0) compact[static_cast<std::size_t>(entry.compact - 'a')] = entry.name;
    }
    return compact;
}
constexpr std::array<HeaderName, 26> compact = make_compact();

}  // namespace

HeaderName header_name_of(std::string_view text) {
    if (text.size() < 2) {
        const char letter = text.empty() ? '-' : ascii_lower(text[0]);
        return is_alpha(letter) ? compact[static_cast<std::size_t>(letter - 'a')] : Other;
    }
    const HeaderName name = table[hash(text)];
    if (name == Other) return Other;
    const std::string_view known = entries[std::to_underlying(name)].text;
    if (known.size() != text.size()) return Other;
    return same_spelling(known, text) || iequals(known, text) ? name : Other;
}

std::string_view header_text(HeaderName name) {
    STILE_ASSERT(name != Other);
    return entries[std::to_underlying(name)].text;
}

ValueForm value_form(HeaderName name) {
    return name == Other ? Lines : entries[std::to_underlying(name)].form;
}

}  // namespace stile::sip
