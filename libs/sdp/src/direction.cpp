// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/direction.hpp>

#include <array>

namespace stile::sdp {

namespace {

constexpr std::array all_directions{Direction::SendReceive, Direction::SendOnly,
                                    Direction::ReceiveOnly, Direction::Inactive};

std::optional<Direction> direction_in(const Attributes& attributes) {
    for (const Direction direction : all_directions) {
        if (attributes.has(to_string(direction))) return direction;
    }
    return {};
}

}  // namespace

std::string_view to_string(Direction direction) {
    switch (direction) {
        case Direction::SendReceive:
            return "sendrecv";
        case Direction::SendOnly:
            return "sendonly";
        case Direction::ReceiveOnly:
            return "recvonly";
        case Direction::Inactive:
            return "inactive";
    }
    return {};
}

Direction direction_of(const Description& description, const MediaDescription& section) {
    if (const auto own = direction_in(section.attributes)) return *own;
    return direction_in(description.attributes).value_or(Direction::SendReceive);
}

void set_direction(MediaDescription& section, Direction direction) {
    for (const Direction each : all_directions) section.attributes.remove(to_string(each));
    section.attributes.add(std::string{to_string(direction)});
}

bool may_answer(Direction offer, Direction answer) {
    switch (offer) {
        case Direction::SendReceive:
            return true;
        case Direction::SendOnly:
            return answer == Direction::ReceiveOnly || answer == Direction::Inactive;
        case Direction::ReceiveOnly:
            return answer == Direction::SendOnly || answer == Direction::Inactive;
        case Direction::Inactive:
            return answer == Direction::Inactive;
    }
    return false;
}

}  // namespace stile::sdp
