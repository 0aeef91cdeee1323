// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

// The bit-exact messages of RFC 4475 Appendix A.
namespace stile::sip {

struct TortureMessage {
    std::string_view name;
    std::string_view text;
};

// clang-format off

inline constexpr std::string_view rfc4475_badaspec{
    "OPTIONS sip:user@example.org SIP/2.0\r\n"
    "Via: SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234\r\n"
    "Max-Forwards: 70\r\n"
    "From: \"Bell, Alexander\" <sip:a.g.bell@example.com>;tag=433423\r\n"
    "To: \"Watson, Thomas\" < sip:t.watson@example.org >\r\n"
    "Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3\r\n"
    "Accept: application/sdp\r\n"
    "CSeq: 3923239 OPTIONS\r\n"
    "l: 0\r\n"
    "\r\n",
    346};

inline constexpr std::string_view rfc4475_badbranch{
    "OPTIONS sip:user@example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.org;tag=33242\r\n"
    "Max-Forwards: 3\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\r\n"
    "Accept: application/sdp\r\n"
    "Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n\r\n"
    "CSeq: 8 OPTIONS\r\n"
    "l: 0\r\n"
    "\r\n",
    262};

inline constexpr std::string_view rfc4475_baddate{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.net;tag=2234923\r\n"
    "Max-Forwards: 70\r\n"
    "Call-ID: baddate.239423mnsadf3j23lj42--sedfnm234\r\n"
    "CSeq: 1392934 INVITE\r\n"
    "Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw\r\n"
    "Date: Fri, 01 Jan 2010 16:00:00 EST\r\n"
    "Contact: <sip:caller@host5.example.net>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 150\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.5\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.5\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    532};

inline constexpr std::string_view rfc4475_baddn{
    "OPTIONS sip:t.watson@example.org SIP/2.0\r\n"
    "Via:     SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw\r\n"
    "Max-Forwards:      70\r\n"
    "From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43\r\n"
    "To:      Watson, Thomas <sip:t.watson@example.org>\r\n"
    "Call-ID: baddn.31415@c.example.com\r\n"
    "Accept: application/sdp\r\n"
    "CSeq:    3923239 OPTIONS\r\n"
    "l: 0\r\n",
    331};

inline constexpr std::string_view rfc4475_badinv01{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:caller@example.net;tag=134161461246\r\n"
    "Max-Forwards: 7\r\n"
    "Call-ID: badinv01.0ha0isndaksdjasdf3234nas\r\n"
    "CSeq: 8 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n"
    "Contact: \"Joe\" <sip:joe@example.org>;;;;\r\n"
    "Content-Length: 152\r\n"
    "Content-Type: application/sdp\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.15\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.15\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    472};

inline constexpr std::string_view rfc4475_badvers{
    "OPTIONS sip:t.watson@example.org SIP/7.0\r\n"
    "Via:     SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw\r\n"
    "Max-Forwards:     70\r\n"
    "From:    A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe\r\n"
    "To:      T. Watson <sip:t.watson@example.org>\r\n"
    "Call-ID: badvers.31417@c.example.com\r\n"
    "CSeq:    1 OPTIONS\r\n"
    "l: 0\r\n"
    "\r\n",
    291};

inline constexpr std::string_view rfc4475_bcast{
    "SIP/2.0 200 OK\r\n"
    "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\n"
    "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\n"
    "Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf\r\n"
    "CSeq: 35 INVITE\r\n"
    "From: sip:user@example.com;tag=11141343\r\n"
    "To: sip:user@example.edu;tag=2229\r\n"
    "Content-Length: 154\r\n"
    "Content-Type: application/sdp\r\n"
    "Contact: <sip:user@host28.example.com>\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.198\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.198\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    516};

inline constexpr std::string_view rfc4475_bext01{
    "OPTIONS sip:user@example.com SIP/2.0\r\n"
    "To: sip:j_user@example.com\r\n"
    "From: sip:caller@example.net;tag=242etr\r\n"
    "Max-Forwards: 6\r\n"
    "Call-ID: bext01.0ha0isndaksdj\r\n"
    "Require: nothingSupportsThis, nothingSupportsThisEither\r\n"
    "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n"
    "CSeq: 8 OPTIONS\r\n"
    "Via: SIP/2.0/TLS fold-and-staple.example.com;branch=z9hG4bKkdjuw\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    381};

inline constexpr std::string_view rfc4475_bigcode{
    "SIP/2.0 4294967301 better not break the receiver\r\n"
    "Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\r\n"
    "Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i\r\n"
    "CSeq: 353494 INVITE\r\n"
    "From: <sip:user@example.com>;tag=39ansfi3\r\n"
    "To: <sip:user@example.edu>;tag=902jndnke3\r\n"
    "Content-Length: 0\r\n"
    "Contact: <sip:user@host105.example.com>\r\n"
    "\r\n",
    332};

inline constexpr std::string_view rfc4475_clerr{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "Max-Forwards: 80\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:caller@example.net;tag=93942939o2\r\n"
    "Contact: <sip:caller@hungry.example.net>\r\n"
    "Call-ID: clerr.0ha0isndaksdjweiafasdk3\r\n"
    "CSeq: 8 INVITE\r\n"
    "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 9999\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.155\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.155\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    498};

inline constexpr std::string_view rfc4475_cparam01{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\r\n"
    "Max-Forwards: 70\r\n"
    "From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe\r\n"
    "To: sip:watson@example.com\r\n"
    "Call-ID: cparam01.70710@saturn.example.com\r\n"
    "CSeq: 2 REGISTER\r\n"
    "Contact: sip:+19725552222@gw1.example.net;unknownparam\r\n"
    "l: 0\r\n"
    "\r\n",
    321};

inline constexpr std::string_view rfc4475_cparam02{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\r\n"
    "Max-Forwards: 70\r\n"
    "From: sip:watson@example.com;tag=838293\r\n"
    "To: sip:watson@example.com\r\n"
    "Call-ID: cparam02.70710@saturn.example.com\r\n"
    "CSeq: 3 REGISTER\r\n"
    "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\r\n"
    "l: 0\r\n"
    "\r\n",
    311};

inline constexpr std::string_view rfc4475_dblreq{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:j.user@example.com;tag=43251j3j324\r\n"
    "Max-Forwards: 8\r\n"
    "I: dblreq.0ha0isndaksdj99sdfafnl3lk233412\r\n"
    "Contact: sip:j.user@host.example.com\r\n"
    "CSeq: 8 REGISTER\r\n"
    "Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492\r\n"
    "Content-Length: 0\r\n"
    "\r\n"
    "\r\n"
    "INVITE sip:joe@example.com SIP/2.0\r\n"
    "t: sip:joe@example.com\r\n"
    "From: sip:caller@example.net;tag=141334\r\n"
    "Max-Forwards: 8\r\n"
    "Call-ID: dblreq.0ha0isnda977644900765@192.0.2.15\r\n"
    "CSeq: 8 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 150\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.15\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.15\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m =video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n"
    "\r\n",
    750};

inline constexpr std::string_view rfc4475_esc01{
    "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\r\n"
    "To: sip:%75se%72@example.com\r\n"
    "From: <sip:I%20have%20spaces@example.net>;tag=938\r\n"
    "Max-Forwards: 87\r\n"
    "i: esc01.239409asdfakjkn23onasd0-3234\r\n"
    "CSeq: 234234 INVITE\r\n"
    "Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw\r\n"
    "C: application/sdp\r\n"
    "Contact:\r\n"
    "  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\r\n"
    "Content-Length: 150\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.1\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    543};

inline constexpr std::string_view rfc4475_esc02{
    "RE%47IST%45R sip:registrar.example.com SIP/2.0\r\n"
    "To: \"%Z%45\" <sip:resource@example.com>\r\n"
    "From: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\r\n"
    "Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\r\n"
    "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234\r\n"
    "CSeq: 29344 RE%47IST%45R\r\n"
    "Max-Forwards: 70\r\n"
    "Contact: <sip:alias1@host1.example.com>\r\n"
    "C%6Fntact: <sip:alias2@host2.example.com>\r\n"
    "Contact: <sip:alias3@host3.example.com>\r\n"
    "l: 0\r\n"
    "\r\n",
    439};

inline constexpr std::string_view rfc4475_escnull{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "To: sip:null-%00-null@example.com\r\n"
    "From: sip:null-%00-null@example.com;tag=839923423\r\n"
    "Max-Forwards: 70\r\n"
    "Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\r\n"
    "CSeq: 14398234 REGISTER\r\n"
    "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\r\n"
    "Contact: <sip:%00@host5.example.com>\r\n"
    "Contact: <sip:%00%00@host5.example.com>\r\n"
    "L:0\r\n"
    "\r\n",
    359};

inline constexpr std::string_view rfc4475_escruri{
    "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.net;tag=341518\r\n"
    "Max-Forwards: 7\r\n"
    "Contact: <sip:caller@host39923.example.net>\r\n"
    "Call-ID: escruri.23940-asdfhj-aje3br-234q098w-fawerh2q-h4n5\r\n"
    "CSeq: 149209342 INVITE\r\n"
    "Via: SIP/2.0/UDP host-of-the-hour.example.com;branch=z9hG4bKkdjuw\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 150\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.1\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    550};

inline constexpr std::string_view rfc4475_insuf{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "CSeq: 193942 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\n"
    "Content-Type: application/sdp\r\n"
    "l: 152\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.95\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.95\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    304};

inline constexpr std::string_view rfc4475_intmeth{
    "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/craz"
    "y?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n"
    "To: \"BEL:\\\007 NUL:\\\000 DEL:\\\177\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?"
    ",/;;*@example.com>\r\n"
    "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\321"
    "\200\320\260\320\261\320\276\321\202\320\260\321\216\321\211\320\270\320\271\";tag=_token"
    "~1'+`*%!-.\r\n"
    "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
    "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\n"
    "Max-Forwards: 255\r\n"
    "extensionHeader-!.%*+_`'~:\357\273\277\345\244\247\345\201\234\351\233\273\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    641};

inline constexpr std::string_view rfc4475_inv2543{
    "INVITE sip:UserB@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP iftgw.example.com\r\n"
    "From: <sip:+13035551111@ift.client.example.net;user=phone>\r\n"
    "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\r\n"
    "To: sip:+16505552222@ss1.example.net;user=phone\r\n"
    "Call-ID: inv2543.1717@ift.client.example.com\r\n"
    "CSeq: 56 INVITE\r\n"
    "Content-Type: application/sdp\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.5\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.5\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0\r\n",
    445};

inline constexpr std::string_view rfc4475_invut{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "Contact: <sip:caller@host5.example.net>\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:caller@example.net;tag=8392034\r\n"
    "Max-Forwards: 70\r\n"
    "Call-ID: invut.0ha0isndaksdjadsfij34n23d\r\n"
    "CSeq: 235448 INVITE\r\n"
    "Via: SIP/2.0/UDP somehost.example.com;branch=z9hG4bKkdjuw\r\n"
    "Content-Type: application/unknownformat\r\n"
    "Content-Length: 40\r\n"
    "\r\n"
    "<audio>\r\n"
    " <pcmu port=\"443\"/>\r\n"
    "</audio>\r\n",
    391};

inline constexpr std::string_view rfc4475_longreq{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "To: \"I have a user name of extremeextremeextremeextremeextremeextremeextremeextremeextre"
    "meextreme proportion\"<sip:user@example.com:6000;unknownparam1=verylonglonglonglonglonglo"
    "nglonglonglonglonglonglonglonglonglonglonglonglonglonglongvalue;longparamnamenamenamename"
    "namenamenamenamenamenamenamenamenamenamenamenamenamenamenamenamenamenamenamenamename=shor"
    "tvalue;verylonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglo"
    "nglonglonglonglonglongParameterNameWithNoValue>\r\n"
    "F: sip:amazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylong"
    "callernameamazinglylongcallername@example.net;tag=129829829829829829829829829829829829829"
    "82982982982982982982982982982982982982982982982982982982982982982982982982982982982982982"
    "982982982982982982982982424;unknownheaderparamnamenamenamenamenamenamenamenamenamenamenam"
    "enamenamenamenamenamenamenamenamename=unknowheaderparamvaluevaluevaluevaluevaluevaluevalu"
    "evaluevaluevaluevaluevaluevaluevaluevalue;unknownValuelessparamnameparamnameparamnamepara"
    "mnameparamnameparamnameparamnameparamnameparamnameparamname\r\n"
    "Call-ID: longreq.onereallyreallyreallyreallyreallyreallyreallyreallyreallyreallyreallyrea"
    "llyreallyreallyreallyreallyreallyreallyreallyreallylongcallid\r\n"
    "CSeq: 3882340 INVITE\r\n"
    "Unknown-LongLongLongLongLongLongLongLongLongLongLongLongLongLongLongLongLongLongLongLong-"
    "Name: unknown-longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglon"
    "glong-value; unknown-longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong"
    "longlonglong-parameter-name = unknown-longlonglonglonglonglonglonglonglonglonglonglonglon"
    "glonglonglonglonglonglonglong-parameter-value\r\n"
    "Via: SIP/2.0/TCP sip33.example.com\r\n"
    "v: SIP/2.0/TCP sip32.example.com\r\n"
    "V: SIP/2.0/TCP sip31.example.com\r\n"
    "Via: SIP/2.0/TCP sip30.example.com\r\n"
    "ViA: SIP/2.0/TCP sip29.example.com\r\n"
    "VIa: SIP/2.0/TCP sip28.example.com\r\n"
    "VIA: SIP/2.0/TCP sip27.example.com\r\n"
    "via: SIP/2.0/TCP sip26.example.com\r\n"
    "viA: SIP/2.0/TCP sip25.example.com\r\n"
    "vIa: SIP/2.0/TCP sip24.example.com\r\n"
    "vIA: SIP/2.0/TCP sip23.example.com\r\n"
    "V :  SIP/2.0/TCP sip22.example.com\r\n"
    "v :  SIP/2.0/TCP sip21.example.com\r\n"
    "V  : SIP/2.0/TCP sip20.example.com\r\n"
    "v  : SIP/2.0/TCP sip19.example.com\r\n"
    "Via : SIP/2.0/TCP sip18.example.com\r\n"
    "Via  : SIP/2.0/TCP sip17.example.com\r\n"
    "Via: SIP/2.0/TCP sip16.example.com\r\n"
    "Via: SIP/2.0/TCP sip15.example.com\r\n"
    "Via: SIP/2.0/TCP sip14.example.com\r\n"
    "Via: SIP/2.0/TCP sip13.example.com\r\n"
    "Via: SIP/2.0/TCP sip12.example.com\r\n"
    "Via: SIP/2.0/TCP sip11.example.com\r\n"
    "Via: SIP/2.0/TCP sip10.example.com\r\n"
    "Via: SIP/2.0/TCP sip9.example.com\r\n"
    "Via: SIP/2.0/TCP sip8.example.com\r\n"
    "Via: SIP/2.0/TCP sip7.example.com\r\n"
    "Via: SIP/2.0/TCP sip6.example.com\r\n"
    "Via: SIP/2.0/TCP sip5.example.com\r\n"
    "Via: SIP/2.0/TCP sip4.example.com\r\n"
    "Via: SIP/2.0/TCP sip3.example.com\r\n"
    "Via: SIP/2.0/TCP sip2.example.com\r\n"
    "Via: SIP/2.0/TCP sip1.example.com\r\n"
    "Via: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=verylonglonglonglonglonglongl"
    "onglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglo"
    "nglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglongbra"
    "nchvalue\r\n"
    "Max-Forwards: 70\r\n"
    "Contact: <sip:amazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazin"
    "glylongcallernameamazinglylongcallername@host5.example.net>\r\n"
    "Content-Type: application/sdp\r\n"
    "l: 150\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.1\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    3515};

inline constexpr std::string_view rfc4475_ltgtruri{
    "INVITE <sip:user@example.com> SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.net;tag=39291\r\n"
    "Max-Forwards: 23\r\n"
    "Call-ID: ltgtruri.1@192.0.2.5\r\n"
    "CSeq: 1 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.5\r\n"
    "Contact: <sip:caller@host5.example.net>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 159\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.5\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.5\r\n"
    "t=3149328700 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    452};

inline constexpr std::string_view rfc4475_lwsdisp{
    "OPTIONS sip:user@example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: caller<sip:caller@example.com>;tag=323\r\n"
    "Max-Forwards: 70\r\n"
    "Call-ID: lwsdisp.1234abcd@funky.example.com\r\n"
    "CSeq: 60 OPTIONS\r\n"
    "Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw\r\n"
    "l: 0\r\n"
    "\r\n",
    255};

inline constexpr std::string_view rfc4475_lwsruri{
    "INVITE sip:user@example.com; lr SIP/2.0\r\n"
    "To: sip:user@example.com;tag=3xfe-9921883-z9f\r\n"
    "From: sip:caller@example.net;tag=231413434\r\n"
    "Max-Forwards: 5\r\n"
    "Call-ID: lwsruri.asdfasdoeoi2323-asdfwrn23-asd834rk423\r\n"
    "CSeq: 2130706432 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkdjuw2395\r\n"
    "Contact: <sip:caller@host1.example.net>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 159\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.1\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.1\r\n"
    "t=3149328700 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    541};

inline constexpr std::string_view rfc4475_lwsstart{
    "INVITE  sip:user@example.com  SIP/2.0\r\n"
    "Max-Forwards: 8\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.net;tag=8814\r\n"
    "Call-ID: lwsstart.dfknq234oi243099adsdfnawe3@example.com\r\n"
    "CSeq: 1893884 INVITE\r\n"
    "Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw3923\r\n"
    "Contact: <sip:caller@host1.example.net>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 150\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.1\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.1\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    506};

inline constexpr std::string_view rfc4475_mcl01{
    "OPTIONS sip:user@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:other@example.net;tag=3923942\r\n"
    "Call-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf\r\n"
    "CSeq: 15932 OPTIONS\r\n"
    "Content-Length: 13\r\n"
    "Max-Forwards: 60\r\n"
    "Content-Length: 5\r\n"
    "Content-Type: text/plain\r\n"
    "\r\n"
    "There's no way to know how many octets are supposed to be here.\r\n"
    "\r\n",
    382};

inline constexpr std::string_view rfc4475_mismatch01{
    "OPTIONS sip:user@example.com SIP/2.0\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:caller@example.net;tag=34525\r\n"
    "Max-Forwards: 6\r\n"
    "Call-ID: mismatch01.dj0234sxdfl3\r\n"
    "CSeq: 8 INVITE\r\n"
    "Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw\r\n"
    "l: 0\r\n"
    "\r\n",
    236};

inline constexpr std::string_view rfc4475_mismatch02{
    "NEWMETHOD sip:user@example.com SIP/2.0\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:caller@example.net;tag=34525\r\n"
    "Max-Forwards: 6\r\n"
    "Call-ID: mismatch02.dj0234sxdfl3\r\n"
    "CSeq: 8 INVITE\r\n"
    "Contact: <sip:caller@host.example.net>\r\n"
    "Via: SIP/2.0/UDP host.example.net;branch=z9hG4bKkdjuw\r\n"
    "Content-Type: application/sdp\r\n"
    "l: 138\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.1\r\n"
    "c=IN IP4 192.0.2.1\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    449};

inline constexpr std::string_view rfc4475_mpart01{
    "MESSAGE sip:kumiko@example.org SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport\r"
    "\n"
    "Max-Forwards: 70\r\n"
    "Route: <sip:127.0.0.1:5080>\r\n"
    "Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+81"
    "3gvYjcBUaZngQmXc9WNZSDNGCzA+fWl9MEUHWIZo1CeJebdY/XlgKeTa0Olvq0rt70Q5jiSfbqMJmQFteeivUhkMW"
    "YUA=\r\n"
    "Contact: <sip:fluffy@127.0.0.1:5070>\r\n"
    "To: <sip:kumiko@example.org>\r\n"
    "From: <sip:fluffy@example.com>;tag=2fb0dcc9\r\n"
    "Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..\r\n"
    "CSeq: 1 MESSAGE\r\n"
    "Content-Transfer-Encoding: binary\r\n"
    "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\r\n"
    "Date: Sat, 15 Oct 2005 04:44:56 GMT\r\n"
    "User-Agent: SIPimp.org/0.2.5 (curses)\r\n"
    "Content-Length: 553\r\n"
    "\r\n"
    "--7a9cbec02ceef655\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Transfer-Encoding: binary\r\n"
    "\r\n"
    "Hello\r\n"
    "--7a9cbec02ceef655\r\n"
    "Content-Type: application/octet-stream\r\n"
    "Content-Transfer-Encoding: binary\r\n"
    "\r\n"
    "0\202\001R\006\011*\206H\206\367\r\001\007\002\240\202\001C0\202\001?\002\001\0011\0110"
    "\007\006\005+\016\003\002\0320\013\006\011*\206H\206\367\r\001\007\0011\202\001 0\202\001"
    "\034\002\001\0010|0p1\0130\011\006\003U\004\006\023\002US1\0230\021\006\003U\004\010\023"
    "\n"
    "California1\0210\017\006\003U\004\007\023\010San Jose1\0160\014\006\003U\004\n"
    "\023\005sipit1)0'\006\003U\004\013\023 Sipit Test Certificate Authority\002\010\001\225"
    "\000q\0023\001\0230\007\006\005+\016\003\002\0320\r\006\011*\206H\206\367\r\001\001\001"
    "\005\000\004\201\200\216\364f\371H\360R-\322\345\227\216\235\225\252\351\362\376\025\240f"
    "Yqb\222\350\332*\250\3305\n"
    "h\316\377\256<\275+\377\026u\335\325d\216Y=\326G(\362b \367\351At\2363\r\232\025\355\253"
    "\333\223\321\014B\020.{r\211\322\234\300\311\256.\373\307\300\317\371\027/;\002~O\300'"
    "\341Tm\344\266\252:\273>f\314\313]\326\306K\203\203\024\234\270\346\377\030-\224O\345{e"
    "\274\231\320\005\r\n"
    "--7a9cbec02ceef655--\r\n",
    1290};

inline constexpr std::string_view rfc4475_multi01{
    "INVITE sip:user@company.com SIP/2.0\r\n"
    "Contact: <sip:caller@host25.example.net>\r\n"
    "Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw\r\n"
    "Max-Forwards: 70\r\n"
    "CSeq: 5 INVITE\r\n"
    "Call-ID: multi01.98asdh@192.0.2.1\r\n"
    "CSeq: 59 INVITE\r\n"
    "Call-ID: multi01.98asdh@192.0.2.2\r\n"
    "From: sip:caller@example.com;tag=3413415\r\n"
    "To: sip:user@example.com\r\n"
    "To: sip:other@example.net\r\n"
    "From: sip:caller@example.net;tag=2923420123\r\n"
    "Content-Type: application/sdp\r\n"
    "l: 154\r\n"
    "Contact: <sip:caller@host36.example.net>\r\n"
    "Max-Forwards: 5\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.25\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.25\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n"
    "\r\n",
    643};

inline constexpr std::string_view rfc4475_ncl{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "Max-Forwards: 254\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:caller@example.net;tag=32394234\r\n"
    "Call-ID: ncl.0ha0isndaksdj2193423r542w35\r\n"
    "CSeq: 0 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw\r\n"
    "Contact: <sip:caller@example53.example.net>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: -999\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.53\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.53\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    486};

inline constexpr std::string_view rfc4475_noreason{
    "SIP/2.0 100 \r\n"
    "Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\r\n"
    "Call-ID: noreason.asndj203insdf99223ndf\r\n"
    "CSeq: 35 INVITE\r\n"
    "From: <sip:user@example.com>;tag=39ansfi3\r\n"
    "To: <sip:user@example.edu>;tag=902jndnke3\r\n"
    "Content-Length: 0\r\n"
    "Contact: <sip:user@host105.example.com>\r\n"
    "\r\n",
    274};

inline constexpr std::string_view rfc4475_novelsc{
    "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.net;tag=384\r\n"
    "Max-Forwards: 3\r\n"
    "Call-ID: novelsc.asdfasser0q239nwsdfasdkl34\r\n"
    "CSeq: 3923423 OPTIONS\r\n"
    "Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    277};

inline constexpr std::string_view rfc4475_quotbal{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "To: \"Mr. J. User <sip:j.user@example.com>\r\n"
    "From: sip:caller@example.net;tag=93334\r\n"
    "Max-Forwards: 10\r\n"
    "Call-ID: quotbal.aksdj\r\n"
    "Contact: <sip:caller@host59.example.net>\r\n"
    "CSeq: 8 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 152\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.15\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.15\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    485};

inline constexpr std::string_view rfc4475_regaut01{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "To: sip:j.user@example.com\r\n"
    "From: sip:j.user@example.com;tag=87321hj23128\r\n"
    "Max-Forwards: 8\r\n"
    "Call-ID: regaut01.0ha0isndaksdj\r\n"
    "CSeq: 9338 REGISTER\r\n"
    "Via: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bKkdjuw\r\n"
    "Authorization: NoOneKnowsThisScheme opaque-data=here\r\n"
    "Content-Length:0\r\n"
    "\r\n",
    304};

inline constexpr std::string_view rfc4475_regbadct{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=998332\r\n"
    "Max-Forwards: 70\r\n"
    "Call-ID: regbadct.k345asrl3fdbv@10.0.0.1\r\n"
    "CSeq: 1 REGISTER\r\n"
    "Via: SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw\r\n"
    "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\r\n"
    "l: 0\r\n"
    "\r\n",
    307};

inline constexpr std::string_view rfc4475_regescrt{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=8\r\n"
    "Max-Forwards: 70\r\n"
    "Call-ID: regescrt.k345asrl3fdbv@192.0.2.1\r\n"
    "CSeq: 14398234 REGISTER\r\n"
    "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\r\n"
    "M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\r\n"
    "L:0\r\n"
    "\r\n",
    302};

inline constexpr std::string_view rfc4475_scalar02{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3\r\n"
    "To: <sip:user@example.com>\r\n"
    "From: <sip:user@example.com>;tag=239232jh3\r\n"
    "CSeq: 36893488147419103232 REGISTER\r\n"
    "Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32\r\n"
    "Max-Forwards: 300\r\n"
    "Expires: 10000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000\r\n"
    "Contact: <sip:user@host129.example.com>\r\n"
    "  ;expires=280297596632815\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    476};

inline constexpr std::string_view rfc4475_scalarlg{
    "SIP/2.0 503 Service Unavailable\r\n"
    "Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129\r\n"
    "To: <sip:user@example.com>\r\n"
    "From: <sip:other@example.net>;tag=2easdjfejw\r\n"
    "CSeq: 9292394834772304023312 OPTIONS\r\n"
    "Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r\r\n"
    "Retry-After: 949302838503028349304023988\r\n"
    "Warning: 1812 overture \"In Progress\"\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    385};

inline constexpr std::string_view rfc4475_sdp01{
    "INVITE sip:user@example.com SIP/2.0\r\n"
    "To: sip:j_user@example.com\r\n"
    "Contact: <sip:caller@host15.example.net>\r\n"
    "From: sip:caller@example.net;tag=234\r\n"
    "Max-Forwards: 5\r\n"
    "Call-ID: sdp01.ndaksdj9342dasdd\r\n"
    "Accept: text/nobodyKnowsThis\r\n"
    "CSeq: 8 INVITE\r\n"
    "Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw\r\n"
    "Content-Length: 150\r\n"
    "Content-Type: application/sdp\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.5\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.5\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    494};

inline constexpr std::string_view rfc4475_semiuri{
    "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\r\n"
    "To: sip:j_user@example.com\r\n"
    "From: sip:caller@example.org;tag=33242\r\n"
    "Max-Forwards: 3\r\n"
    "Call-ID: semiuri.0ha0isndaksdj\r\n"
    "CSeq: 8 OPTIONS\r\n"
    "Accept: application/sdp, application/pkcs7-mime,\r\n"
    "        multipart/mixed, multipart/signed,\r\n"
    "        message/sip, message/sipfrag\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\r\n"
    "l: 0\r\n"
    "\r\n",
    380};

inline constexpr std::string_view rfc4475_transports{
    "OPTIONS sip:user@example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: <sip:caller@example.com>;tag=323\r\n"
    "Max-Forwards: 70\r\n"
    "Call-ID:  transports.kijh4akdnaqjkwendsasfdj\r\n"
    "Accept: application/sdp\r\n"
    "CSeq: 60 OPTIONS\r\n"
    "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw\r\n"
    "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\r\n"
    "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\r\n"
    "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\r\n"
    "Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\r\n"
    "l: 0\r\n"
    "\r\n",
    503};

inline constexpr std::string_view rfc4475_trws{
    "OPTIONS sip:remote-target@example.com SIP/2.0  \r\n"
    "Via: SIP/2.0/TCP host1.examle.com;branch=z9hG4bK299342093\r\n"
    "To: <sip:remote-target@example.com>\r\n"
    "From: <sip:local-resource@example.com>;tag=329429089\r\n"
    "Call-ID: trws.oicu34958239neffasdhr2345r\r\n"
    "Accept: application/sdp\r\n"
    "CSeq: 238923 OPTIONS\r\n"
    "Max-Forwards: 70\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    327};

inline constexpr std::string_view rfc4475_unkscm{
    "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.net;tag=384\r\n"
    "Max-Forwards: 3\r\n"
    "Call-ID: unkscm.nasdfasser0q239nwsdfasdkl34\r\n"
    "CSeq: 3923423 OPTIONS\r\n"
    "Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    291};

inline constexpr std::string_view rfc4475_unksm2{
    "REGISTER sip:example.com SIP/2.0\r\n"
    "To: isbn:2983792873\r\n"
    "From: <http://www.example.com>;tag=3234233\r\n"
    "Call-ID: unksm2.daksdj@hyphenated-host.example.com\r\n"
    "CSeq: 234902 REGISTER\r\n"
    "Max-Forwards: 70\r\n"
    "Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw\r\n"
    "Contact: <name:John_Smith>\r\n"
    "l: 0\r\n"
    "\r\n",
    282};

inline constexpr std::string_view rfc4475_unreason{
    "SIP/2.0 200 = 2**3 * 5**2 \320\275\320\276 \321\201\321\202\320\276 \320\264\320\265\320"
    "\262\321\217\320\275\320\276\321\201\321\202\320\276 \320\264\320\265\320\262\321\217\321"
    "\202\321\214 - \320\277\321\200\320\276\321\201\321\202\320\276\320\265\r\n"
    "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\n"
    "Call-ID: unreason.1234ksdfak3j2erwedfsASdf\r\n"
    "CSeq: 35 INVITE\r\n"
    "From: sip:user@example.com;tag=11141343\r\n"
    "To: sip:user@example.edu;tag=2229\r\n"
    "Content-Length: 154\r\n"
    "Content-Type: application/sdp\r\n"
    "Contact: <sip:user@host198.example.com>\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.198\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.198\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    526};

inline constexpr std::string_view rfc4475_wsinv{
    "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
    "TO :\r\n"
    " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
    "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n"
    "  ;\r\n"
    "  tag = 98asjd8\r\n"
    "MaX-fOrWaRdS: 0068\r\n"
    "Call-ID: wsinv.ndaksdj@192.0.2.1\r\n"
    "Content-Length   : 150\r\n"
    "cseq: 0009\r\n"
    "  INVITE\r\n"
    "Via  : SIP  /   2.0\r\n"
    " /UDP\r\n"
    "    192.0.2.2;branch=390skdjuw\r\n"
    "s :\r\n"
    "NewFangledHeader:   newfangled value\r\n"
    " continued newfangled value\r\n"
    "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"
    "Content-Type: application/sdp\r\n"
    "Route:\r\n"
    " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n"
    "  branch  =   z9hG4bK9ikj8  ,\r\n"
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n"
    " z9hG4bK30239\r\n"
    "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n"
    "      newvalue ;\r\n"
    "  secondparam ; q = 0.33\r\n"
    "\r\n"
    "v=0\r\n"
    "o=mhandley 29739 7272939 IN IP4 192.0.2.3\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.4\r\n"
    "t=0 0\r\n"
    "m=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\n"
    "a=rtpmap:31 LPC\r\n",
    1001};

inline constexpr std::string_view rfc4475_zeromf{
    "OPTIONS sip:user@example.com SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:caller@example.net;tag=3ghsd41\r\n"
    "Call-ID: zeromf.jfasdlfnm2o2l43r5u0asdfas\r\n"
    "CSeq: 39234321 OPTIONS\r\n"
    "Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw2349i\r\n"
    "Max-Forwards: 0\r\n"
    "Content-Length: 0\r\n"
    "\r\n",
    272};

// clang-format on

inline constexpr std::array rfc4475{
    TortureMessage{"badaspec", rfc4475_badaspec},
    TortureMessage{"badbranch", rfc4475_badbranch},
    TortureMessage{"baddate", rfc4475_baddate},
    TortureMessage{"baddn", rfc4475_baddn},
    TortureMessage{"badinv01", rfc4475_badinv01},
    TortureMessage{"badvers", rfc4475_badvers},
    TortureMessage{"bcast", rfc4475_bcast},
    TortureMessage{"bext01", rfc4475_bext01},
    TortureMessage{"bigcode", rfc4475_bigcode},
    TortureMessage{"clerr", rfc4475_clerr},
    TortureMessage{"cparam01", rfc4475_cparam01},
    TortureMessage{"cparam02", rfc4475_cparam02},
    TortureMessage{"dblreq", rfc4475_dblreq},
    TortureMessage{"esc01", rfc4475_esc01},
    TortureMessage{"esc02", rfc4475_esc02},
    TortureMessage{"escnull", rfc4475_escnull},
    TortureMessage{"escruri", rfc4475_escruri},
    TortureMessage{"insuf", rfc4475_insuf},
    TortureMessage{"intmeth", rfc4475_intmeth},
    TortureMessage{"inv2543", rfc4475_inv2543},
    TortureMessage{"invut", rfc4475_invut},
    TortureMessage{"longreq", rfc4475_longreq},
    TortureMessage{"ltgtruri", rfc4475_ltgtruri},
    TortureMessage{"lwsdisp", rfc4475_lwsdisp},
    TortureMessage{"lwsruri", rfc4475_lwsruri},
    TortureMessage{"lwsstart", rfc4475_lwsstart},
    TortureMessage{"mcl01", rfc4475_mcl01},
    TortureMessage{"mismatch01", rfc4475_mismatch01},
    TortureMessage{"mismatch02", rfc4475_mismatch02},
    TortureMessage{"mpart01", rfc4475_mpart01},
    TortureMessage{"multi01", rfc4475_multi01},
    TortureMessage{"ncl", rfc4475_ncl},
    TortureMessage{"noreason", rfc4475_noreason},
    TortureMessage{"novelsc", rfc4475_novelsc},
    TortureMessage{"quotbal", rfc4475_quotbal},
    TortureMessage{"regaut01", rfc4475_regaut01},
    TortureMessage{"regbadct", rfc4475_regbadct},
    TortureMessage{"regescrt", rfc4475_regescrt},
    TortureMessage{"scalar02", rfc4475_scalar02},
    TortureMessage{"scalarlg", rfc4475_scalarlg},
    TortureMessage{"sdp01", rfc4475_sdp01},
    TortureMessage{"semiuri", rfc4475_semiuri},
    TortureMessage{"transports", rfc4475_transports},
    TortureMessage{"trws", rfc4475_trws},
    TortureMessage{"unkscm", rfc4475_unkscm},
    TortureMessage{"unksm2", rfc4475_unksm2},
    TortureMessage{"unreason", rfc4475_unreason},
    TortureMessage{"wsinv", rfc4475_wsinv},
    TortureMessage{"zeromf", rfc4475_zeromf},
};

}  // namespace stile::sip
