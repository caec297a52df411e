# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by tests/run and tests/demo: finds the source, installs what is missing, names the build directories.
# Reads no terminal, asks nothing.

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
# A checkout that belongs to somebody else than root (sudo) is still this one.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'

source_dir=$(cd "$(dirname "$0")/.." && pwd)
# Ignored by git; several checkouts, or a read-only one, may name another place.
build_root=${VARTA_BUILD_DIR:-$source_dir/build-ci}

say() {
        printf '\n== %s\n' "$*"
}

die() {
        printf '%s: %s\n' "$0" "$*" >&2
        exit 1
}

# packages_missing NAME...: those of the packages that are not installed
packages_missing() {
        for package; do
                dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
                        echo "$package"
        done
}

# apt_install NAME...: installs packages, but starts nothing that they would have run from now on
apt_install() (
        policy=/usr/sbin/policy-rc.d
        if ! [ -e "$policy" ]; then
                trap 'rm -f "$policy"' EXIT
                trap 'exit 1' HUP INT TERM
                printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
        fi
        apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@"
)

# packages_ensure NAME...: installs what of them is missing
packages_ensure() {
        missing=$(packages_missing "$@")
        [ -n "$missing" ] || return 0
        [ "$(id -u)" -eq 0 ] || die "these packages are missing, and only root can install them:" $missing
        say "installing" $missing
        apt_install $missing </dev/null >"$log_dir/apt.log" 2>&1 ||
                { tail -n 20 "$log_dir/apt.log"; die "apt-get install failed"; }
}

packages_install() {
        if ! command -v apt-get >/dev/null 2>&1; then
                say "no apt-get here: taking for granted what tests/packages.txt lists"
                return 0
        fi
        served=$(packages_missing prometheus)
        packages_ensure $(sed -e 's/#.*//' "$source_dir/tests/packages.txt")
        # Its programs are wanted here, not a server on this machine from the next start on.
        [ -z "$served" ] || systemctl --quiet disable prometheus.service 2>/dev/null
        # The sanitizers' runtime carries clang's version in its name.
        packages_ensure "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
}

# build NAME COMPILER [OPTION...]: configures (afresh when that fails) and compiles $build_root/NAME
build() {
        name=$1 compiler=$2
        shift 2
        say "building $name with $compiler: $*"
        if ! CC=$compiler meson setup --reconfigure "$build_root/$name" "$source_dir" "$@" >"$log_dir/$name-setup.log" 2>&1; then
                rm -rf "${build_root:?}/$name"
                CC=$compiler meson setup "$build_root/$name" "$source_dir" "$@" >"$log_dir/$name-setup.log" 2>&1 ||
                        { cat "$log_dir/$name-setup.log"; die "meson setup failed"; }
        fi
        meson compile -C "$build_root/$name" >"$log_dir/$name-compile.log" 2>&1 ||
                { grep -E '(error|warning):|^FAILED' "$log_dir/$name-compile.log" | head -n 40; die "build $name failed, see $log_dir/$name-compile.log"; }
}

mkdir -p "$build_root/logs"
log_dir=$build_root/logs
