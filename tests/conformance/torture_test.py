# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Every message of RFC 4475 and RFC 5118, sent to a running stiled as it stands there."""
import unittest

import torture

NOTHING = None  # no answer, and nothing else is hindered

# What this server, which is the registrar and the proxy of example.com, has to do: the message, the section of the
# document, the answer and why. A compatible account `user` exists and is nowhere registered.
RFC4475 = [
    ("wsinv", "3.1.1.1", 407, "for another domain: its owner has to be known"),
    ("intmeth", "3.1.1.2", 407, "for another domain, by an unknown method"),
    ("esc01", "3.1.1.3", 403, "for another domain, from nobody of ours"),
    ("escnull", "3.1.1.4", 401, "the user's name has a zero in it; whether it exists is nobody's business"),
    ("esc02", "3.1.1.5", 407, "the method is not REGISTER: % is no escape there"),
    ("lwsdisp", "3.1.1.6", 407, "From names our domain, so the password is asked for"),
    ("longreq", "3.1.1.7", 480, "nobody is there"),
    ("dblreq", "3.1.1.8", 401, "REGISTER, and the octets that follow it are ignored"),
    ("semiuri", "3.1.1.9", 404, "the user has a semicolon and parameters in its name"),
    ("transports", "3.1.1.10", 407, "From names our domain; the transports of lower Via values mean nothing"),
    ("mpart01", "3.1.1.11", 407, "for another domain"),
    ("unreason", "3.1.1.12", NOTHING, "a response to nothing that was asked"),
    ("noreason", "3.1.1.13", NOTHING, "a response to nothing that was asked"),
    ("badinv01", "3.1.2.1", 400, "empty header field values and separators"),
    ("clerr", "3.1.2.2", 400, "the body is shorter than its length says"),
    ("ncl", "3.1.2.3", 400, "a negative length"),
    ("scalar02", "3.1.2.4", 400, "numbers out of range"),
    ("scalarlg", "3.1.2.5", NOTHING, "a response with numbers out of range"),
    ("quotbal", "3.1.2.6", 400, "an unterminated quoted string"),
    ("ltgtruri", "3.1.2.7", 400, "angle brackets around the Request-URI"),
    ("lwsruri", "3.1.2.8", 400, "white space in the Request-URI"),
    ("lwsstart", "3.1.2.9", 400, "several spaces in the request line"),
    ("trws", "3.1.2.10", 400, "spaces at the end of the request line"),
    ("escruri", "3.1.2.11", 400, "headers in the Request-URI"),
    ("baddate", "3.1.2.12", 480, "nobody uses the Date: liberal, as the section allows"),
    ("regbadct", "3.1.2.13", 400, "a Contact that is ambiguous without brackets"),
    ("badaspec", "3.1.2.14", 400, "spaces within an address"),
    ("baddn", "3.1.2.15", 400, "a display name of characters that are no token"),
    ("badvers", "3.1.2.16", 505, "SIP/7.0"),
    ("mismatch01", "3.1.2.17", 400, "two methods"),
    ("mismatch02", "3.1.2.18", 400, "two methods, of which one is unknown"),
    ("bigcode", "3.1.2.19", NOTHING, "a response whose code is no code"),
    ("badbranch", "3.2.1", 480, "a branch of nothing but the cookie, matched as RFC 2543 does"),
    ("insuf", "3.3.1", NOTHING, "without Call-ID, From and To no 400 can be made"),
    ("unkscm", "3.3.2", 416, "an unknown scheme"),
    ("novelsc", "3.3.3", 416, "a known scheme that is not used here"),
    ("unksm2", "3.3.4", 400, "registers what is no SIP URI"),
    ("bext01", "3.3.5", 420, "requires of proxies what is not known"),
    ("invut", "3.3.6", 480, "the body is the callee's business"),
    ("regaut01", "3.3.7", 401, "an unknown scheme of authorization is no authorization"),
    ("multi01", "3.3.8", 400, "several of what there is once"),
    ("mcl01", "3.3.9", 400, "two lengths that differ"),
    ("bcast", "3.3.10", NOTHING, "a response that says it came from a broadcast address"),
    ("zeromf", "3.3.11", 483, "Max-Forwards is 0, and it is not for the server"),
    ("cparam01", "3.3.12", 401, "the password is asked for"),
    ("cparam02", "3.3.13", 401, "the password is asked for"),
    ("regescrt", "3.3.14", 401, "the password is asked for"),
    ("sdp01", "3.3.15", 480, "what is accepted is the callee's business"),
    ("inv2543", "3.4.1", 404, "as RFC 2543 wrote it: no Max-Forwards, no tag, no branch"),
]

RFC5118 = [
    ("ipv6-good", "4.1", 407, "for another domain"),
    ("ipv6-bad", "4.2", 400, "an IPv6 address without brackets"),
    ("port-ambiguous", "4.3", 407, "5070 is the end of the address"),
    ("port-unambiguous", "4.4", 407, "5070 is the port"),
    ("via-received-param-with-delim", "4.5", 407, "brackets are read there"),
    ("via-received-param-no-delim", "4.5", 407, "as the grammar has it"),
    ("ipv6-in-sdp", "4.6", 407, "for another domain"),
    ("mult-ip-in-header", "4.7", 407, "both families in one message"),
    ("mult-ip-in-sdp", "4.8", 407, "both families in one body"),
    ("ipv4-mapped-ipv6", "4.9", 480, "nobody is there"),
    ("ipv6-bug-abnf-3-colons", "4.10", 407, "read, though the grammar of RFC 3261 is wrong"),
    ("ipv6-correct-abnf-2-colons", "4.10", 407, "as it is meant"),
]

# What a phone registers, once it has shown its password: the message, its account and the contacts that are kept.
REGISTERED = [
    ("cparam01", "watson", ["<sip:+19725552222@gw1.example.net>"]),
    ("cparam02", "watson", ["<sip:+19725552222@gw1.example.net;unknownparam>"]),
    ("regescrt", "user", ["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"]),
]


class Torture(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(torture.programs.World())
        self.servers = torture.Servers(self.world)
        self.folder = self.world.folder("messages")

    def check(self, document, rows):
        messages = torture.messages(self.folder, document)
        self.assertEqual(sorted(messages), sorted(row[0] for row in rows), "each message once, none skipped")
        print(f"\n{document:30} section   answer  why", flush=True)
        for name, section, expected, why in rows:
            with self.subTest(name):
                answers = torture.Phone(self.servers.fit_for(messages[name])).exchange(
                    messages[name], wants_answer=expected is not NOTHING)
                got = torture.statuses(answers)
                print(f"{name:30} {section:8} {str(*got) or '-':>7}  {why}", flush=True)
                self.assertEqual(got, [] if expected is NOTHING else [expected], answers)
                self.assertEqual(len(answers), len(got), answers)
                for answer in answers:
                    torture.check_echo(self, messages[name], answer)

    def test_rfc4475(self):
        self.check("rfc4475", RFC4475)

    def test_rfc5118(self):
        self.check("rfc5118", RFC5118)

    def test_contacts_of_rfc4475_are_kept_as_they_were_sent(self):
        messages = torture.messages(self.folder, "rfc4475")
        for name, user, contacts in REGISTERED:
            with self.subTest(name):
                server = self.servers.fit_for(messages[name])
                phone = torture.Phone(server)
                [challenge] = phone.exchange(messages[name], wants_answer=True)
                again = torture.with_password(messages[name], challenge, user, server.passwords[user])
                [answer] = phone.exchange(again, wants_answer=True)
                self.assertEqual(torture.statuses([answer]), [200], answer)
                self.assertEqual([line for line in torture.contacts(answer) if line in contacts], contacts, answer)

    def test_unsupported_extensions_of_proxies_are_named(self):
        message = torture.messages(self.folder, "rfc4475")["bext01"]
        [answer] = torture.Phone(self.servers.fit_for(message)).exchange(message, wants_answer=True)
        self.assertRegex(answer, r"(?m)^Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis\r$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
