// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip/caller_preferences.hpp>
#include <stile/sip/limits.hpp>

#include <string>
#include <vector>

namespace stile::sip {
namespace {

FeatureSet features(std::string_view parameters) {
    const auto parsed = Parameters::parse(parameters, ParameterSyntax::Header);
    REQUIRE(parsed);
    auto set = FeatureSet::from_parameters(*parsed);
    REQUIRE(set);
    return *std::move(set);
}

PreferenceTarget target(std::string_view contact) {
    const auto parsed = Contact::parse(contact);
    REQUIRE(parsed);
    return {.features = features(parsed->address.parameters.text()),
            .q = parsed->q().value_or(QValue{})};
}

Message request(std::string_view fields, std::string_view method = "INVITE") {
    auto message = parse_message(as_bytes(
        std::string{method} + " sip:user@example.com SIP/2.0\r\n" + std::string{fields} + "\r\n"));
    REQUIRE(message.has_value());
    return *std::move(message);
}

std::string order(std::string_view fields, const std::vector<PreferenceTarget>& targets,
                  FeaturelessTargets featureless = FeaturelessTargets::Immune,
                  std::string_view method = "INVITE") {
    const auto preferences = CallerPreferences::of(request(fields, method));
    REQUIRE(preferences);
    std::string indices;
    for (const RankedTarget& one : rank_targets(*preferences, targets, featureless)) {
        indices += std::to_string(one.index + 1);
    }
    return indices;
}

TEST_CASE("rfc 3841 section 7.2.5: the worked example") {
    const std::vector<PreferenceTarget> targets{
        target("sip:u1@h.example.com;audio;video;methods=\"INVITE,BYE\";q=0.2"),
        target("sip:u2@h.example.com;audio=\"FALSE\";methods=\"INVITE\";actor=\"msg-taker\";q=0.2"),
        target("sip:u3@h.example.com;audio;actor=\"msg-taker\";methods=\"INVITE\";video;q=0.3"),
        target("sip:u4@h.example.com;audio;methods=\"INVITE,OPTIONS\";q=0.2"),
        target("sip:u5@h.example.com;q=0.5"),
    };
    const std::string_view fields =
        "Reject-Contact: *;actor=\"msg-taker\";video\r\n"
        "Accept-Contact: *;audio;require\r\n"
        "Accept-Contact: *;video;explicit\r\n"
        "Accept-Contact: *;methods=\"BYE\";class=\"business\";q=1.0\r\n";
    const auto preferences = CallerPreferences::of(request(fields));
    REQUIRE(preferences);
    CHECK(preferences->origin == PreferenceOrigin::Explicit);
    const auto ranked = rank_targets(*preferences, targets, FeaturelessTargets::Immune);
    REQUIRE(ranked.size() == 3);
    CHECK(ranked[0].index == 4);
    CHECK(ranked[0].preference == doctest::Approx(1.0));
    CHECK(ranked[1].index == 0);
    CHECK(ranked[1].preference == doctest::Approx(2.5 / 3));
    CHECK(ranked[2].index == 3);
    CHECK(ranked[2].preference == doctest::Approx(0.5));
    // Compact forms say the same.
    CHECK(order("j: *;actor=\"msg-taker\";video\r\n"
                "a: *;audio;require, *;video;explicit, *;methods=\"BYE\";class=\"business\"\r\n",
                targets) == "514");
}

TEST_CASE("rfc 3841 section 8: feature parameters become a predicate") {
    const FeatureSet set = features(
        ";mobility=\"fixed\";events=\"!presence,message-summary\";language=\"en,de\""
        ";description=\"<PC>\";+sip.newparam;+rangeparam=\"#-4:+5.125\"");
    REQUIRE(set.terms().size() == 6);
    CHECK(set.find("sip.mobility")->values == std::vector{FeatureValue{.text = "fixed"}});
    CHECK(set.find("sip.events")->values ==
          std::vector{FeatureValue{.sense = Sense::IsNot, .text = "presence"},
                      FeatureValue{.text = "message-summary"}});
    CHECK(set.find("language")->values.size() == 2);
    CHECK(set.find("sip.description")->values ==
          std::vector{FeatureValue{.kind = FeatureValue::Kind::String, .text = "PC"}});
    CHECK(set.find("sip.newparam")->values == std::vector{FeatureValue{.text = "true"}});
    CHECK(set.find("rangeparam")->values ==
          std::vector{FeatureValue{.kind = FeatureValue::Kind::Number, .low = -4, .high = 5.125}});
}

TEST_CASE("rfc 3841 section 7.2.3: which contact parameters are features") {
    const FeatureSet set = features(
        ";audio;video;mobility=\"fixed\";+sip.message=\"TRUE\";other-param=66372"
        ";methods=\"INVITE,OPTIONS,BYE,CANCEL,ACK\";schemes=\"sip,http\";q=0.5;expires=60");
    CHECK(set.terms().size() == 6);
    CHECK(set.find("sip.methods")->values.size() == 5);
    CHECK(set.find("sip.schemes")->values.size() == 2);
    CHECK(features(";q=0.1;expires=3600;reg-id=1").empty());
    // The base tag counts, not its "+" form.
    const FeatureSet both = features(";+video=\"FALSE\";video");
    CHECK(both.terms().size() == 1);
    CHECK(both.find("sip.video")->values[0].text == "true");
    // An instance is a feature: a contact that states one is not immune.
    CHECK_FALSE(features(";+sip.instance=\"<urn:uuid:1>\"").empty());
}

TEST_CASE("feature tags: names there and back") {
    for (const auto& [tag, name] :
         {std::pair{"sip.audio", "audio"}, std::pair{"sip.instance", "+sip.instance"},
          std::pair{"language", "language"},
          std::pair{"u.example.org/x:y", "+u.example.org'x!y"}}) {
        CHECK(feature_parameter_name(tag) == name);
        CHECK(feature_tag_of(name) == tag);
    }
    CHECK_FALSE(feature_tag_of("expires"));
    CHECK_FALSE(feature_tag_of("+"));
}

TEST_CASE("feature tags: matching by kind of value") {
    struct Row {
        std::string_view left;
        std::string_view right;
        bool match;
    };
    for (const Row& row : std::initializer_list<Row>{
             {";audio", ";video", true},
             {";audio", ";audio", true},
             {";audio", ";audio=\"FALSE\"", false},
             {";audio", ";audio=\"true\"", true},
             {";methods=\"INVITE,BYE\"", ";methods=\"bye\"", true},
             {";methods=\"INVITE,BYE\"", ";methods=\"INFO\"", false},
             {";methods=\"!INVITE\"", ";methods=\"INVITE\"", false},
             {";methods=\"!INVITE\"", ";methods=\"BYE\"", true},
             {";methods=\"!INVITE\"", ";methods=\"!BYE\"", true},
             {";description=\"<PC>\"", ";description=\"<PC>\"", true},
             {";description=\"<PC>\"", ";description=\"<pc>\"", false},
             {";description=\"<PC>\"", ";description=\"PC\"", false},
             {";+n=\"#>=5\"", ";+n=\"#=5\"", true},
             {";+n=\"#>=5\"", ";+n=\"#4:4.999\"", false},
             {";+n=\"#<=5\"", ";+n=\"#-1:7\"", true},
             {";+n=\"!#1:3\"", ";+n=\"#=2\"", false},
             {";+n=\"!#1:3\"", ";+n=\"#2:4\"", true},
             {";+n=\"#=5\"", ";+n=\"five\"", false},
             {";+n=\"#=5\"", ";+n=\"!five\"", true},
         }) {
        CAPTURE(row.left);
        CAPTURE(row.right);
        CHECK(matches(features(row.left), features(row.right)) == row.match);
        CHECK(matches(features(row.right), features(row.left)) == row.match);
    }
}

TEST_CASE("feature tags: malformed values are errors") {
    for (const std::string_view bad :
         {";methods=\"a b\"", ";methods=\"\"", ";methods=\"a,,b\"", ";+n=\"#\"", ";+n=\"#x\"",
          ";+n=\"#1\"", ";+n=\"#1:\"", ";+n=\"#>=\"", ";+n=\"#=1e5\"", ";+n=\"#=.5\"",
          ";+n=\"#=--5\"", ";+n=\"#=inf\"", ";+n=\"<x\"", ";+n=\"!\""}) {
        CAPTURE(bad);
        const auto parameters = Parameters::parse(bad, ParameterSyntax::Header);
        REQUIRE(parameters);
        CHECK(FeatureSet::from_parameters(*parameters).error() == ParseError::BadFeature);
    }
    std::string values = "a";
    for (std::size_t i = 1; i < most_feature_values; ++i) values += ",a";
    CHECK(features(";methods=\"" + values + "\"").terms().front().values.size() ==
          most_feature_values);
    const auto more = Parameters::parse(";methods=\"" + values + ",a\"", ParameterSyntax::Header);
    CHECK(FeatureSet::from_parameters(*more).error() == ParseError::TooManyValues);
}

TEST_CASE("rfc 3841: require and explicit, one by one and together") {
    const std::vector<PreferenceTarget> targets{
        target("<sip:1@h>;+sip.http"),            // says yes
        target("<sip:2@h>;+sip.http=\"FALSE\""),  // says no
        target("<sip:3@h>;audio"),                // says nothing about it
        target("<sip:4@h>"),                      // says nothing at all: immune
    };
    const auto immune = FeaturelessTargets::Immune;
    CHECK(order("Accept-Contact: *;+sip.http\r\n", targets, immune) == "1423");
    CHECK(order("Accept-Contact: *;+sip.http;explicit\r\n", targets, immune) == "1423");
    CHECK(order("Accept-Contact: *;+sip.http;require\r\n", targets, immune) == "143");
    CHECK(order("Accept-Contact: *;+sip.http;require;explicit\r\n", targets, immune) == "14");
    CHECK(order("Reject-Contact: *;+sip.http\r\n", targets, immune) == "234");
    CHECK(order("Reject-Contact: *;+sip.http;video\r\n", targets, immune) == "1234");
}

TEST_CASE("a fetch does not ring a telephone that states no capabilities") {
    const std::vector<PreferenceTarget> targets{target("<sip:phone@h>"),
                                                target("<sip:peer@h>;+sip.http;q=0.1")};
    const auto policy = FeaturelessTargets::OutsideOfDemand;
    const std::string_view demand = "Accept-Contact: *;+sip.http;require;explicit\r\n";
    CHECK(order(demand, targets, policy) == "2");
    CHECK(order(demand, {target("<sip:phone@h>")}, policy) == "");  // 480
    // Without policy RFC 3841 keeps it in.
    CHECK(order(demand, targets) == "12");
    // Whoever demands less rings everything, and so does a plain call.
    CHECK(order("Accept-Contact: *;+sip.http;require\r\n", targets, policy) == "12");
    CHECK(order("Accept-Contact: *;+sip.http;explicit\r\n", targets, policy) == "12");
    CHECK(order("Accept-Contact: *;require;explicit\r\n", targets, policy) == "12");
    CHECK(order("", targets, policy) == "12");
    // A call says that the web peer is not meant.
    CHECK(order("Reject-Contact: *;+sip.http\r\n", targets, policy) == "1");
}

TEST_CASE("rfc 3841 section 7.2.2: the method is a preference of its own") {
    const std::vector<PreferenceTarget> targets{
        target("<sip:1@h>;methods=\"INVITE,ACK\""),
        target("<sip:2@h>;methods=\"MESSAGE\""),
        target("<sip:3@h>"),
    };
    CHECK(order("", targets) == "13");
    CHECK(order("", targets, FeaturelessTargets::Immune, "MESSAGE") == "23");
    CHECK(order("Accept-Contact: *;audio\r\n", targets) == "312");
    const std::vector<PreferenceTarget> events{target("<sip:1@h>;events=\"presence\""),
                                               target("<sip:2@h>;events=\"dialog\"")};
    CHECK(order("Event: dialog;id=1\r\n", events, FeaturelessTargets::Immune, "SUBSCRIBE") == "2");
    CHECK(order("o: dialog\r\n", events) == "12");
    // Nobody is left: all are tried, and answer 405 or 489 themselves.
    CHECK(order("", {targets[1], targets[1]}) == "12");
    CHECK(order("Accept-Contact: *;methods=\"INVITE\";require\r\n", {targets[1]}) == "");
}

TEST_CASE("rfc 3841: the callee's order comes first") {
    const std::vector<PreferenceTarget> targets{target("<sip:1@h>;audio;q=0.2"),
                                                target("<sip:2@h>;video;q=0.9"),
                                                target("<sip:3@h>;audio;video;q=0.2")};
    CHECK(order("Accept-Contact: *;audio;video\r\n", targets) == "231");
}

TEST_CASE("rfc 3841: malformed rules and too many of them are refused") {
    for (const std::string_view bad : {"sip:a@b", "*audio", "*;methods=\"a b\"", "*;a=1;A=2"}) {
        CAPTURE(bad);
        CHECK_FALSE(CallerPreferences::of(request("Accept-Contact: " + std::string{bad} + "\r\n")));
        CHECK_FALSE(CallerPreferences::of(request("Reject-Contact: " + std::string{bad} + "\r\n")));
    }
    std::string rules;
    for (std::size_t i = 0; i < most_preferences; ++i) rules += "Reject-Contact: *;audio\r\n";
    CHECK(CallerPreferences::of(request(rules))->reject.size() == most_preferences);
    CHECK(CallerPreferences::of(request(rules + "a: *\r\n")).error() == ParseError::TooManyValues);
}

TEST_CASE("rfc 3841 section 9.1: request disposition") {
    const auto disposition = RequestDisposition::of(
        request("Request-Disposition: proxy, no-recurse\r\nd: Parallel,future\r\n"));
    REQUIRE(disposition);
    CHECK(disposition->handling == RequestDisposition::Handling::Proxy);
    CHECK(disposition->recursion == RequestDisposition::Recursion::NoRecurse);
    CHECK(disposition->order == RequestDisposition::Order::Parallel);
    CHECK_FALSE(disposition->forking);
    CHECK(RequestDisposition::of(request("")) == RequestDisposition{});
    CHECK(RequestDisposition::of(request("d: proxy, redirect\r\n")).error() ==
          ParseError::Duplicate);
    CHECK(RequestDisposition::of(request("d: no fork\r\n")).error() == ParseError::BadToken);
}

}  // namespace
}  // namespace stile::sip
