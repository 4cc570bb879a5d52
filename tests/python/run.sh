#!/bin/sh
# run.sh BERTC LIBRARY SOURCE SHARED TEST.py: a test of the Python package, with the command and the library of this build.
set -eu
BERTC=$1 BERTC_LIBRARY=$2 SOURCE=$3 SHARED=$4 test=$5 CASE=python/$(basename "$5" .py)
export BERTC BERTC_LIBRARY SOURCE SHARED CASE
. "$SOURCE/tests/cli/lib.sh"
python=
for one in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$one" -c 'import numpy' 2>/dev/null; then python=$one; fi
done
[ -n "$python" ] || skip tools 'Python with numpy'
PYTHONPATH=$SOURCE/frontend/python PYTHONDONTWRITEBYTECODE=1 exec "$python" "$test"
