"""Recurrent layers and their cells."""

from kcore_layers_recurrent.conv_lstm import ConvLSTM2D, ConvLSTM2DCell
from kcore_layers_recurrent.cudnn import CuDNNGRU, CuDNNLSTM
from kcore_layers_recurrent.gru import GRU, GRUCell
from kcore_layers_recurrent.lstm import LSTM, LSTMCell
from kcore_layers_recurrent.rnn import RNN
from kcore_layers_recurrent.simple import SimpleRNN, SimpleRNNCell
from kcore_layers_recurrent.stacked import StackedRNNCells

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "ConvLSTM2D",
    "ConvLSTM2DCell",
    "CuDNNGRU",
    "CuDNNLSTM",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]
