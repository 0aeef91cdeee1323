// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

// The messages of RFC 5118 Section 4, with the Content-Length that their printed bodies have.
namespace stile::sip {

struct Ipv6Message {
    std::string_view name;
    std::string_view text;
};

// clang-format off

inline constexpr std::string_view rfc5118_ipv6_good{
    "REGISTER sip:[2001:db8::10] SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Max-Forwards: 70\r\n"
    "Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n"
    "CSeq: 98176 REGISTER\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    303};

inline constexpr std::string_view rfc5118_ipv6_bad{
    "REGISTER sip:2001:db8::10 SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Max-Forwards: 70\r\n"
    "Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n"
    "CSeq: 98176 REGISTER\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    301};

inline constexpr std::string_view rfc5118_port_ambiguous{
    "REGISTER sip:[2001:db8::10:5070] SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n"
    "Max-Forwards: 70\r\n"
    "CSeq: 98176 REGISTER\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    308};

inline constexpr std::string_view rfc5118_port_unambiguous{
    "REGISTER sip:[2001:db8::10]:5070 SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n"
    "Max-Forwards: 70\r\n"
    "CSeq: 98176 REGISTER\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    308};

inline constexpr std::string_view rfc5118_via_received_param_with_delim{
    "BYE sip:[2001:db8::10] SIP/2.0\r\n"
    "To: sip:user@example.com;tag=bd76ya\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Max-Forwards: 70\r\n"
    "CSeq: 321 BYE\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    283};

inline constexpr std::string_view rfc5118_via_received_param_no_delim{
    "OPTIONS sip:[2001:db8::10] SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3\r\n"
    "Call-ID: SSG95523997077@hlau_4100\r\n"
    "Max-Forwards: 70\r\n"
    "Contact: \"Caller\" <sip:caller@[2001:db8::9:1]>\r\n"
    "CSeq: 921 OPTIONS\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    317};

inline constexpr std::string_view rfc5118_ipv6_in_sdp{
    "INVITE sip:user@[2001:db8::10] SIP/2.0\r\n"
    "To: sip:user@[2001:db8::10]\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Contact: \"Caller\" <sip:caller@[2001:db8::20]>\r\n"
    "CSeq: 8612 INVITE\r\n"
    "Max-Forwards: 70\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 251\r\n"
    "\r\n"
    "v=0\r\n"
    "o=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\n"
    "s=Live video feed for today's meeting\r\n"
    "c=IN IP6 2001:db8::20\r\n"
    "t=3338481189 3370017201\r\n"
    "m=audio 6000 RTP/AVP 2\r\n"
    "a=rtpmap:2 G726-32/8000\r\n"
    "m=video 6024 RTP/AVP 107\r\n"
    "a=rtpmap:107 H263-1998/90000\r\n",
    590};

inline constexpr std::string_view rfc5118_mult_ip_in_header{
    "BYE sip:user@host.example.net SIP/2.0\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\r\n"
    "Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200\r\n"
    "Call-ID: 997077@lau_4100\r\n"
    "Max-Forwards: 70\r\n"
    "CSeq: 89187 BYE\r\n"
    "To: sip:user@example.net;tag=9817--94\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    397};

inline constexpr std::string_view rfc5118_mult_ip_in_sdp{
    "INVITE sip:user@[2001:db8::10] SIP/2.0\r\n"
    "To: sip:user@[2001:db8::10]\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Contact: \"Caller\" <sip:caller@[2001:db8::9:1]>\r\n"
    "Max-Forwards: 70\r\n"
    "CSeq: 8912 INVITE\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 189\r\n"
    "\r\n"
    "v=0\r\n"
    "o=bob 280744730 28977631 IN IP4 host.example.com\r\n"
    "s=\r\n"
    "t=0 0\r\n"
    "m=audio 22334 RTP/AVP 0\r\n"
    "c=IN IP4 192.0.2.1\r\n"
    "m=video 6024 RTP/AVP 107\r\n"
    "c=IN IP6 2001:db8::1\r\n"
    "a=rtpmap:107 H263-1998/90000\r\n",
    530};

inline constexpr std::string_view rfc5118_ipv4_mapped_ipv6{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@east.example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19\r\n"
    "Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Contact: \"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>\r\n"
    "CSeq: 612 INVITE\r\n"
    "Max-Forwards: 70\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 245\r\n"
    "\r\n"
    "v=0\r\n"
    "o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2\r\n"
    "s=Call me soon, please!\r\n"
    "c=IN IP6 ::ffff:192.0.2.2\r\n"
    "t=3338481189 3370017201\r\n"
    "m=audio 6000 RTP/AVP 2\r\n"
    "a=rtpmap:2 G726-32/8000\r\n"
    "m=video 6024 RTP/AVP 107\r\n"
    "a=rtpmap:107 H263-1998/90000\r\n",
    657};

inline constexpr std::string_view rfc5118_ipv6_bug_abnf_3_colons{
    "OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0\r\n"
    "To: sip:user@[2001:db8:::192.0.2.1]\r\n"
    "From: sip:user@example.com;tag=810x2\r\n"
    "Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111\r\n"
    "Call-ID: G9559905523997077@hlau_4100\r\n"
    "CSeq: 689 OPTIONS\r\n"
    "Max-Forwards: 70\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    282};

inline constexpr std::string_view rfc5118_ipv6_correct_abnf_2_colons{
    "OPTIONS sip:user@[2001:db8::192.0.2.1] SIP/2.0\r\n"
    "To: sip:user@[2001:db8::192.0.2.1]\r\n"
    "From: sip:user@example.com;tag=810x2\r\n"
    "Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111\r\n"
    "Call-ID: G9559905523997077@hlau_4100\r\n"
    "CSeq: 689 OPTIONS\r\n"
    "Max-Forwards: 70\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    280};

// clang-format on

inline constexpr std::array rfc5118{
    Ipv6Message{"ipv6-good", rfc5118_ipv6_good},
    Ipv6Message{"ipv6-bad", rfc5118_ipv6_bad},
    Ipv6Message{"port-ambiguous", rfc5118_port_ambiguous},
    Ipv6Message{"port-unambiguous", rfc5118_port_unambiguous},
    Ipv6Message{"via-received-param-with-delim", rfc5118_via_received_param_with_delim},
    Ipv6Message{"via-received-param-no-delim", rfc5118_via_received_param_no_delim},
    Ipv6Message{"ipv6-in-sdp", rfc5118_ipv6_in_sdp},
    Ipv6Message{"mult-ip-in-header", rfc5118_mult_ip_in_header},
    Ipv6Message{"mult-ip-in-sdp", rfc5118_mult_ip_in_sdp},
    Ipv6Message{"ipv4-mapped-ipv6", rfc5118_ipv4_mapped_ipv6},
    Ipv6Message{"ipv6-bug-abnf-3-colons", rfc5118_ipv6_bug_abnf_3_colons},
    Ipv6Message{"ipv6-correct-abnf-2-colons", rfc5118_ipv6_correct_abnf_2_colons},
};

}  // namespace stile::sip
