// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/contact.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace stile::sip {

enum class Sense : std::uint8_t { Is, IsNot };

// One alternative of a feature parameter's value. RFC 3840 Section 9.
struct FeatureValue {
    enum class Kind : std::uint8_t {
        Token,   // token or boolean, compared without regard to case
        String,  // "<...>", compared with regard to case
        Number,  // a range from low to high, both ends in it
    };
    Kind kind = Kind::Token;
    Sense sense = Sense::Is;
    std::string text;  // tokens in lower case
    double low = 0;
    double high = 0;
    friend bool operator==(const FeatureValue&, const FeatureValue&) = default;
};

// One feature tag and the values it may have: a term of a conjunction in the words of RFC 3841
// Section
// 8. `tag` is decoded: "sip.audio", "sip.instance".
struct FeatureTerm {
    std::string tag;
    std::vector<FeatureValue> values;  // at least one
    friend bool operator==(const FeatureTerm&, const FeatureTerm&) = default;
};

// A conjunction of terms, one a tag: a contact's capabilities or a caller's wish.
class FeatureSet {
public:
    FeatureSet() = default;
    // The feature parameters among these: the base tags of RFC 3840 Section 9 and those that start
    // with "+". Others are skipped.
    static std::expected<FeatureSet, ParseError> from_parameters(const Parameters& parameters);

    void add(FeatureTerm term);  // left out if the tag is there already
    const FeatureTerm* find(std::string_view tag) const;
    const std::vector<FeatureTerm>& terms() const { return terms_; }
    bool empty() const { return terms_.empty(); }
    friend bool operator==(const FeatureSet&, const FeatureSet&) = default;

private:
    std::vector<FeatureTerm> terms_;
};

// Is there a value for every tag that satisfies both? Tags that only one names do not matter.
// RFC 2533 Section 4 by way of RFC 3841 Section 7.2.4.
bool matches(const FeatureSet& left, const FeatureSet& right);

// "+sip.foo" as it is written in a Contact or Accept-Contact for the feature tag "sip.foo", "audio"
// for "sip.audio". RFC 3840 Section 9, enc-feature-tag.
std::string feature_parameter_name(std::string_view tag);
// The inverse; empty for a parameter that is not a feature parameter.
std::optional<std::string> feature_tag_of(std::string_view parameter_name);

}  // namespace stile::sip
