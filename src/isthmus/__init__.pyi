from .anomaly.detector import AnomalyDetector as AnomalyDetector
from .anomaly.pyod import PyODAdapter as PyODAdapter
from .compression.codec import Codec as Codec
from .estimators.autoencoder import Autoencoder as Autoencoder
from .estimators.denoising import DenoisingAutoencoder as DenoisingAutoencoder
from .estimators.supervised import SupervisedAutoencoder as SupervisedAutoencoder
from .estimators.variational import VariationalAutoencoder as VariationalAutoencoder
from .evaluation.referee import referee as referee
from .persistence.loading import load as load
from .report.page import write_report as write_report
from .tasks.maps import LatentMap as LatentMap
from .tasks.sampling import LatentSampler as LatentSampler
from .tasks.search import SimilarityIndex as SimilarityIndex
from .verdict.parameter_table import parameter_table as parameter_table
from .verdict.split import split as split
from .verdict.verdict import Verdict as Verdict
from .verdict.verdict import inspect as inspect

__version__: str
