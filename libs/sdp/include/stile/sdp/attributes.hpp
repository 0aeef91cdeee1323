// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/errors.hpp>

#include <expected>
#include <optional>
#include <utility>
#include <vector>

namespace stile::sdp {

// One a= line: `a=name` or `a=name:value`.
struct Attribute {
    std::string name;
    std::optional<std::string> value;

    friend bool operator==(const Attribute&, const Attribute&) = default;
};

// A typed attribute: its name, a parser of what follows the colon, and the text to write there.
template <class A>
concept AttributeType = requires(const A& attribute, std::string_view value) {
    { A::name } -> std::convertible_to<std::string_view>;
    { A::parse(value) } -> std::same_as<std::expected<A, AttributeError>>;
    { attribute.value() } -> std::same_as<std::optional<std::string>>;
};

// The attribute lines of one section in their order. Those not understood are kept as they came.
// Names are compared without regard to case (RFC 8840 Section 9.2).
class Attributes {
public:
    auto begin() const { return list_.begin(); }
    auto end() const { return list_.end(); }
    std::size_t size() const { return list_.size(); }
    bool empty() const { return list_.empty(); }

    bool has(std::string_view name) const;
    // The first of that name. The pointer lives until the list changes.
    const Attribute* find(std::string_view name) const;

    void add(std::string name, std::optional<std::string> value = std::nullopt);
    // Removes all of that name; how many there were.
    std::size_t remove(std::string_view name);

    // The first of its name.
    template <AttributeType A>
    [[nodiscard]] std::expected<A, AttributeError> get() const {
        const Attribute* found = find(A::name);
        if (!found) return std::unexpected(AttributeError::Absent);
        return A::parse(found->value ? std::string_view{*found->value} : std::string_view{});
    }
    // All that are well formed and supported; others are skipped, as the RFCs of the attributes
    // that may repeat (candidate, fingerprint, rtpmap, ..) want it.
    template <AttributeType A>
    [[nodiscard]] std::vector<A> all() const {
        std::vector<A> found;
        for (const Attribute& attribute : list_) {
            if (!is(attribute, A::name)) continue;
            auto parsed =
                A::parse(attribute.value ? std::string_view{*attribute.value} : std::string_view{});
            if (parsed) found.push_back(*std::move(parsed));
        }
        return found;
    }
    template <AttributeType A>
    void add(const A& attribute) {
        add(std::string{A::name}, attribute.value());
    }
    // Replaces all of its name.
    template <AttributeType A>
    void set(const A& attribute) {
        remove(A::name);
        add(attribute);
    }

    friend bool operator==(const Attributes&, const Attributes&) = default;

private:
    static bool is(const Attribute& attribute, std::string_view name);

    std::vector<Attribute> list_;
};

}  // namespace stile::sdp
