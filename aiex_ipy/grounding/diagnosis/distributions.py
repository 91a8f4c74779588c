"""Which distribution has a module of another name."""

from __future__ import annotations

from collections.abc import Mapping

DISTRIBUTIONS: Mapping[str, str] = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "Bio": "biopython",
    "cairo": "pycairo",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "discord": "discord.py",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "PyMuPDF",
    "flask_cors": "Flask-Cors",
    "flask_sqlalchemy": "Flask-SQLAlchemy",
    "git": "GitPython",
    "github": "PyGithub",
    "gi": "PyGObject",
    "google.cloud": "google-cloud-core",
    "googleapiclient": "google-api-python-client",
    "igraph": "igraph",
    "IPython": "ipython",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "kafka": "kafka-python",
    "ldap": "python-ldap",
    "lxml": "lxml",
    "magic": "python-magic",
    "matplotlib": "matplotlib",
    "mpl_toolkits": "matplotlib",
    "multipart": "python-multipart",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "nacl": "PyNaCl",
    "OpenSSL": "pyOpenSSL",
    "osgeo": "GDAL",
    "paho": "paho-mqtt",
    "PIL": "pillow",
    "pkg_resources": "setuptools",
    "playwright": "playwright",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pydot": "pydot",
    "PyQt5": "PyQt5",
    "pymysql": "PyMySQL",
    "pyspark": "pyspark",
    "pythoncom": "pywin32",
    "pytorch_lightning": "pytorch-lightning",
    "ruamel": "ruamel.yaml",
    "sentence_transformers": "sentence-transformers",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "socks": "PySocks",
    "speech_recognition": "SpeechRecognition",
    "telegram": "python-telegram-bot",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "umap": "umap-learn",
    "usb": "pyusb",
    "websocket": "websocket-client",
    "win32api": "pywin32",
    "win32com": "pywin32",
    "wx": "wxPython",
    "Xlib": "python-xlib",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
"""Import name → distribution of another name. Source: each project's page on PyPI."""
_SAME = """
aiohttp altair asyncpg bokeh boto3 catboost celery click cryptography dash dask django
duckdb fastapi flask gensim geopandas httpx jax jinja2 keras lightgbm lxml matplotlib
networkx nltk numba numpy openai openpyxl pandas plotly polars pyarrow pydantic pygame
pymongo pytest redis requests scipy scrapy seaborn selenium shapely spacy sqlalchemy
statsmodels streamlit sympy tabulate torchvision tqdm transformers typer uvicorn werkzeug
xarray xgboost xlrd
"""
SAME_NAME = frozenset(_SAME.split())
"""Well-known modules whose distribution has the same name: no other would be meant."""
