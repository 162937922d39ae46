from .estimators.autoencoder import Autoencoder as Autoencoder
from .estimators.denoising import DenoisingAutoencoder as DenoisingAutoencoder
from .estimators.supervised import SupervisedAutoencoder as SupervisedAutoencoder
from .estimators.variational import VariationalAutoencoder as VariationalAutoencoder
from .inspection.parameters import parameter_table as parameter_table
from .inspection.referee import referee as referee
from .inspection.split import split as split
from .inspection.verdict import Verdict as Verdict
from .inspection.verdict import inspect as inspect
from .persistence import load as load
from .report.page import write_report as write_report
from .tasks.anomaly.detector import AnomalyDetector as AnomalyDetector
from .tasks.anomaly.pyod import PyODAdapter as PyODAdapter
from .tasks.codec import Codec as Codec
from .tasks.maps import LatentMap as LatentMap
from .tasks.sampling import LatentSampler as LatentSampler
from .tasks.search import SimilarityIndex as SimilarityIndex

__version__: str
