"""How far a read text is from the true one."""


def edit_distance(one: str, other: str) -> int:
    """Letters to insert, leave out or change to get from one text to the other (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for k, letter in enumerate(one, 1):
        before, row[0] = row[0], k
        for column, wanted in enumerate(other, 1):
            before, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, before + (letter != wanted)),
            )
    return row[-1]
