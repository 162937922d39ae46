from .estimators.autoencoder import Autoencoder as Autoencoder
from .inspection.parameters import parameter_table as parameter_table
from .inspection.referee import referee as referee
from .persistence import load as load
from .report.page import write_report as write_report

__version__: str
