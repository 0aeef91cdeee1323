// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <stile/sip_server/flow_successors.hpp>

namespace stile::sip_server {
namespace {

using sip::FlowId;

TEST_CASE("sip flow successors: a lost flow is followed by the one that is registered next") {
    FlowSuccessors flows;
    CHECK(flows.resolve({1}) == FlowId{1});
    flows.note_lost("alice", "i:1", {1});
    CHECK(flows.resolve({1}) == FlowId{1});
    flows.note_registered("alice", "i:2", std::nullopt, {2});
    CHECK(flows.resolve({1}) == FlowId{1});
    flows.note_registered("alice", "i:1", std::nullopt, {3});
    CHECK(flows.resolve({1}) == FlowId{3});
    CHECK(flows.lost_count() == 0);
    // The new one is replaced while it is still open, and again.
    flows.note_registered("alice", "i:1", FlowId{3}, {5});
    flows.note_registered("alice", "i:1", FlowId{5}, {5});
    CHECK(flows.resolve({1}) == FlowId{5});
    CHECK(flows.resolve({3}) == FlowId{5});
}

TEST_CASE("sip flow successors: there are no circles") {
    FlowSuccessors flows;
    flows.note_registered("alice", "i:1", FlowId{1}, {2});
    flows.note_registered("alice", "i:1", FlowId{2}, {1});
    CHECK(flows.resolve({1}) == FlowId{2});
    CHECK(flows.resolve({2}) == FlowId{2});
}

TEST_CASE("sip flow successors: the limits, at them and one past them") {
    FlowSuccessors flows{2};
    flows.note_lost("a", "k", {1});
    flows.note_lost("b", "k", {2});
    flows.note_lost("a", "k", {3});
    CHECK(flows.lost_count() == 2);
    flows.note_lost("c", "k", {4});  // b is the oldest now
    CHECK(flows.lost_count() == 2);
    flows.note_registered("b", "k", std::nullopt, {10});
    CHECK(flows.resolve({2}) == FlowId{2});
    flows.note_registered("a", "k", std::nullopt, {11});
    flows.note_registered("c", "k", std::nullopt, {12});
    CHECK(flows.resolve({3}) == FlowId{11});
    CHECK(flows.successor_count() == 2);
    flows.note_registered("d", "k", FlowId{5}, {13});
    CHECK(flows.successor_count() == 2);
    CHECK(flows.resolve({3}) == FlowId{3});
    CHECK(flows.resolve({5}) == FlowId{13});
}

}  // namespace
}  // namespace stile::sip_server
