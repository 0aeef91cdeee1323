# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
#
# What run, test, bench and check share. Source it from the root of the checkout.

# build PRESET [TARGET...]: configures once, builds what changed; shows the log only when it fails.
build() {
    local preset=$1 log
    shift
    mkdir -p build
    log=build/$preset.log
    if [ ! -f "build/$preset/build.ninja" ]; then
        echo "Configuring ($preset) ..."
        if ! cmake --preset "$preset" >"$log" 2>&1; then
            tail -n 40 "$log" >&2
            echo "✗ cmake could not configure; the whole log is $log" >&2
            return 1
        fi
    fi
    local targets=()
    [ $# -gt 0 ] && targets=(--target "$@")
    echo "Building ($preset) ..."
    if ! cmake --build "build/$preset" "${targets[@]}" >"$log" 2>&1; then
        grep -E -A12 'error|FAILED' "$log" | head -n 80 >&2 || tail -n 40 "$log" >&2
        echo "✗ The build failed; the whole log is $log" >&2
        return 1
    fi
}
