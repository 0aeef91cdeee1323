// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/connect/nat_knowledge.hpp>

#include <algorithm>

namespace stile::connect {
namespace {

using stun::FilteringBehavior;
using stun::MappingBehavior;
using Left = std::array<bool, 3>;

void keep(Left& left, std::size_t index) {
    if (!left[index]) return;
    left.fill(false);
    left[index] = true;
}

void drop(Left& left, std::size_t index) {
    if (std::ranges::count(left, true) > 1) left[index] = false;
}

std::optional<std::size_t> only(const Left& left) {
    if (std::ranges::count(left, true) != 1) return std::nullopt;
    return static_cast<std::size_t>(std::ranges::find(left, true) - left.begin());
}

template <class Behavior>
std::size_t index_of(Behavior behavior) {
    return static_cast<std::size_t>(behavior);
}

bool maps(const NatBehavior& nat) { return nat.mapping != MappingBehavior::EndpointIndependent; }
bool filters_by_port(const NatBehavior& nat) {
    return nat.filtering == FilteringBehavior::AddressAndPortDependent;
}

}  // namespace

Obstacle obstacle_between(const NatBehavior& ours, const NatBehavior& theirs) {
    constexpr auto by_port = MappingBehavior::AddressAndPortDependent;
    if (ours.mapping == by_port && theirs.mapping == by_port) return Obstacle::BothMapByPort;
    if (maps(ours) && filters_by_port(theirs)) return Obstacle::OursMapsTheirsFilters;
    if (maps(theirs) && filters_by_port(ours)) return Obstacle::TheirsMapsOursFilters;
    const bool both_filter = ours.filtering != FilteringBehavior::EndpointIndependent &&
                             theirs.filtering != FilteringBehavior::EndpointIndependent;
    return maps(ours) && maps(theirs) && both_filter ? Obstacle::BothMapBothFilter : Obstacle::None;
}

NatKnowledge NatKnowledge::of(const NatBehavior& behavior) {
    NatKnowledge knowledge;
    knowledge.mapping_is(behavior.mapping);
    knowledge.filtering_is(behavior.filtering);
    return knowledge;
}

void NatKnowledge::mapping_is(MappingBehavior mapping) { keep(mappings_, index_of(mapping)); }
void NatKnowledge::mapping_is_not(MappingBehavior mapping) { drop(mappings_, index_of(mapping)); }
void NatKnowledge::filtering_is(FilteringBehavior filtering) {
    keep(filterings_, index_of(filtering));
}
void NatKnowledge::filtering_is_not(FilteringBehavior filtering) {
    drop(filterings_, index_of(filtering));
}

bool NatKnowledge::may_be(const NatBehavior& behavior) const {
    return mappings_[index_of(behavior.mapping)] && filterings_[index_of(behavior.filtering)];
}

std::optional<MappingBehavior> NatKnowledge::mapping() const {
    const auto index = only(mappings_);
    return index ? std::optional{mapping_behaviors[*index]} : std::nullopt;
}

std::optional<FilteringBehavior> NatKnowledge::filtering() const {
    const auto index = only(filterings_);
    return index ? std::optional{filtering_behaviors[*index]} : std::nullopt;
}

bool NatKnowledge::maps_per_destination() const {
    return !mappings_[index_of(MappingBehavior::EndpointIndependent)];
}

Prospect prospect(const NatKnowledge& ours) {
    Prospect result;
    for (const MappingBehavior their_mapping : mapping_behaviors) {
        for (const FilteringBehavior their_filtering : filtering_behaviors) {
            bool always = true;
            bool ever = false;
            for (const MappingBehavior mapping : mapping_behaviors) {
                for (const FilteringBehavior filtering : filtering_behaviors) {
                    if (!ours.may_be({mapping, filtering})) continue;
                    const bool meets =
                        obstacle_between({mapping, filtering}, {their_mapping, their_filtering}) ==
                        Obstacle::None;
                    always = always && meets;
                    ever = ever || meets;
                }
            }
            result.certain += always ? 1U : 0U;
            result.possible += ever ? 1U : 0U;
        }
    }
    return result;
}

}  // namespace stile::connect
