"""A small Hub, in memory and on loopback, for tests of everything that talks to the Hugging Face Hub.

It speaks as much of the protocol as the tests need: creating repos, commits with and without LFS, pull requests, file
trees, downloads with ranges, community evaluation results and the leaderboards made of them.

    store.py         repos, commits and LFS objects
    evaluations.py   evaluation results in model repos, leaderboards of datasets
    answers.py       the Hub's answers as JSON
    jobs.py          jobs, as processes
    routes.py        which handler answers which request
    __main__.py      `python -m helpers.loopback_hub PORT`: the server
    fixture.py       the pytest fixture `loopback_hub`
    forks.py         a process that runs code of tests in forks
"""
