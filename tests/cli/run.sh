#!/bin/sh
# run.sh BERTC SOURCE SHARED CASE.sh: runs one case in an empty folder.
set -eu
BERTC=$1 SOURCE=$2 SHARED=$3 case=$4 CASE=cli/$(basename "$4" .sh)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
. "$SOURCE/tests/cli/lib.sh"
. "$case"
