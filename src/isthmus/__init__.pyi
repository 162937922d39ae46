from .estimators.autoencoder import Autoencoder as Autoencoder
from .estimators.denoising import DenoisingAutoencoder as DenoisingAutoencoder
from .estimators.variational import VariationalAutoencoder as VariationalAutoencoder
from .inspection.parameters import parameter_table as parameter_table
from .inspection.referee import referee as referee
from .persistence import load as load
from .report.page import write_report as write_report

__version__: str
