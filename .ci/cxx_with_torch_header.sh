#!/usr/bin/env bash
# A C++ compiler that parses torch's headers once instead of for every file. tools/install.sh
# gives it to mmcv's build as CXX: 77 files that take 12 s each, 10 of them for those headers.
#
# The first compilation also makes a precompiled header, with exactly its own flags, which
# all others with the same flags include. A compiler that cannot is used as it is.
# TORCH_HEADER_DIR is the folder to keep it in. No debug information is written, which
# takes as long again, and 30 of a wheel's 32 MB.
set -euo pipefail

source='' flags=()
for ((i = 1; i <= $#; i++)); do
    case ${!i} in
        -c) ;;
        -o | -MF) ((++i)) ;;
        -MMD) ;;
        *.cpp) source=${!i} ;;
        *) flags+=("${!i}") ;;
    esac
done
if [ -z "$source" ]; then
    exec c++ "$@"  # links, or says its version
fi

header=$TORCH_HEADER_DIR/$(printf '%s\n' "${flags[@]}" | cksum | tr ' ' -).h
(
    flock 9
    if [ ! -f "$header" ]; then
        echo '#include <torch/types.h>' >"$header.new"
        mv "$header.new" "$header"
        c++ "${flags[@]}" -g0 -x c++-header "$header" -o "$header.gch" || rm -f "$header.gch"
    fi
) 9>"$TORCH_HEADER_DIR/lock"
if [ -f "$header.gch" ]; then
    exec c++ -include "$header" "$@" -g0 -Winvalid-pch
fi
exec c++ "$@" -g0
