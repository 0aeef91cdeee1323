# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts of the public segment a long way from it."""
import lab


def lengthen(scene, world, hosts, milliseconds):
    """From now on what these send to the segment, and get from it, takes so long on the way."""
    pairs = []
    for host in hosts:
        near, far, port = f"to-{host.name}"[:15], f"far-{host.name}"[:15], f"seg-{host.name}"[:15]
        lab.ip("-n", "backbone", "link", "set", near, "nomaster")
        lab.ip("-n", "backbone", "link", "add", far, "type", "veth", "peer", "name", port)
        lab.ip("-n", "backbone", "link", "set", far, "up")
        lab.ip("-n", "backbone", "link", "set", port, "master", "segment", "up")
        pairs.append(f"{near}:{far}")
    cable = scene.start("cables", world.backbone, ["stile_lab_cable", "--delay-ms", milliseconds, *pairs])
    cable.wait_for("^Ready")
