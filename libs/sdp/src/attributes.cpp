// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/attributes.hpp>

#include <stile/base/text.hpp>

#include <algorithm>

namespace stile::sdp {

bool Attributes::is(const Attribute& attribute, std::string_view name) {
    return iequals(attribute.name, name);
}

const Attribute* Attributes::find(std::string_view name) const {
    const auto found = std::find_if(list_.begin(), list_.end(),
                                    [&](const Attribute& each) { return is(each, name); });
    return found == list_.end() ? nullptr : &*found;
}

bool Attributes::has(std::string_view name) const { return find(name) != nullptr; }

void Attributes::add(std::string name, std::optional<std::string> value) {
    list_.push_back({.name = std::move(name), .value = std::move(value)});
}

std::size_t Attributes::remove(std::string_view name) {
    return std::erase_if(list_, [&](const Attribute& each) { return is(each, name); });
}

}  // namespace stile::sdp
