"""Take the models, fonts, recipes and page along: PyInstaller follows imports only."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("crnn_ctc")
