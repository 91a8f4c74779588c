"""Runs before a child's program: installs the hooks, then the user's own `sitecustomize`.

The environment is put back as it was: what the program starts is left alone.
"""

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
        import faulthandler

        faulthandler.enable()
    except Exception:  # noqa: S110  a Python whose stderr is closed: nothing to print to
        pass
    try:
        from aiex_ipy.grounding.crash.hook import install

        install(_file)
    except Exception:  # noqa: S110  an older Python, which cannot read our code: not watched
        pass
    finally:
        if _added:
            sys.path.remove(_root)
_me = sys.modules.pop("sitecustomize", None)
try:
    __import__("sitecustomize")  # the user's, or the distribution's
except ImportError:
    if _me is not None:  # the import system looks for it when this has run
        sys.modules["sitecustomize"] = _me
