// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/time.hpp>
#include <stile/http/fields.hpp>

namespace stile::http {

enum class Strength : std::uint8_t { Strong, Weak };

// An entity tag. RFC 9110 Section 8.8.3.
struct EntityTag {
    std::string opaque;  // without the quotes
    Strength strength = Strength::Strong;

    // The whole text is one tag.
    static std::optional<EntityTag> parse(std::string_view text);
    std::string to_string() const;
    friend bool operator==(const EntityTag&, const EntityTag&) = default;
};

// RFC 9110 Section 8.8.3.2.
bool strong_match(const EntityTag& left, const EntityTag& right);
bool weak_match(const EntityTag& left, const EntityTag& right);

// What a file system says about a file, handed in by whoever can ask it.
struct FileFacts {
    std::uint64_t size = 0;
    std::int64_t modified_nanoseconds = 0;  // since 1970
    std::optional<std::uint64_t> inode;
};

// From the facts alone, nothing is read. Weak while the file is younger than two seconds: it may
// change once more without a change of its time (RFC 9110 Section 8.8.1).
EntityTag entity_tag(const FileFacts& facts, WallTime now);
// From a digest of the content. Strong.
EntityTag entity_tag(BytesView digest);

// What is known of a resource as it is now. Nothing is known of one that does not exist.
struct Validators {
    std::optional<EntityTag> tag;
    std::optional<WallTime> modified;
};

enum class Existence : std::uint8_t { Absent, Present };
enum class Precondition : std::uint8_t { Met, NotModified, Failed };

// Steps 1 to 4 of RFC 9110 Section 13.2.2. An If-Match that cannot be read fails; other fields
// that cannot be read, and dates that are none, are ignored (Sections 13.1.3, 13.1.4).
Precondition evaluate_preconditions(std::string_view method, const Fields& request,
                                    Existence existence, const Validators& validators,
                                    WallTime now);

// Step 5: true when there is no If-Range or it names the resource as it is now. Weak tags never do;
// a date does only when it equals Last-Modified and that is at least one second old (Sections
// 13.1.5 and 8.8.2.2).
bool if_range_holds(const Fields& request, const Validators& validators, WallTime now);

}  // namespace stile::http
