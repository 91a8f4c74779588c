"""Runs before a child's program: installs the hooks, then the user's own `sitecustomize`."""

import os
import sys

_place = os.environ.pop("AIEX_CRASH_FILE", "")
_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [each for each in sys.path if os.path.abspath(each or ".") != _here]
if _place:
    _file, _root, *_before = _place.split(os.pathsep)
    _paths = os.pathsep.join(each for each in _before if each)
    if _paths:
        os.environ["PYTHONPATH"] = _paths
    else:
        os.environ.pop("PYTHONPATH", None)
    _added = _root not in sys.path
    if _added:
        sys.path.append(_root)
    try:
        from aiex_ipy.grounding.crash.hook import install

        install(_file)
        if not _added:  # else a pytest could not find the plugin
            os.environ["AIEX_CRASH_TESTS"] = _file
            _plugins = [os.environ.get("PYTEST_PLUGINS"), "aiex_ipy.grounding.crash.pytest_plugin"]
            os.environ["PYTEST_PLUGINS"] = ",".join(each for each in _plugins if each)
    except ImportError as _trouble:
        print(f"aiex cannot be imported by this Python: {_trouble}", file=sys.stderr)
    finally:
        if _added:
            sys.path.remove(_root)
_me = sys.modules.pop("sitecustomize", None)
try:
    __import__("sitecustomize")  # the user's, or the distribution's
except ImportError:
    if _me is not None:  # the import system looks for it when this has run
        sys.modules["sitecustomize"] = _me
