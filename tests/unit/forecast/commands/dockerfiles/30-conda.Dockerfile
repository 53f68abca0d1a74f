FROM example.org/miniconda:24
RUN conda install -y -c conda-forge numpy pandas && conda clean -afy
RUN conda env create -f environment.yml
