"""How clauses are cited."""

import pytest
from rules_support import rules

from govpool.rules.citation import chinese_number, cite, clause


@pytest.mark.parametrize(
    ("article", "short"), [("19(2)", "YY-19(2)"), ("39", "YY-39"), ("19(2),39", "YY-19(2), YY-39")]
)
def test_a_clause_carries_the_policys_code(article: str, short: str) -> None:
    assert clause(rules(), article) == short


@pytest.mark.parametrize(
    ("article", "zh", "en"),
    [
        ("19(2)", "第十九条第（二）项", "article 19(2)"),
        ("39", "第三十九条", "article 39"),
        ("19(2),39", "第十九条第（二）项、第三十九条", "articles 19(2) and 39"),
        ("4,10(1),20", "第四条、第十条第（一）项、第二十条", "articles 4, 10(1) and 20"),
    ],
)
def test_a_citation_names_the_regulation_and_the_article(article: str, zh: str, en: str) -> None:
    assert cite(rules(), article, "zh") == f"《益阳市市级政务云管理暂行办法》{zh}"
    assert cite(rules(), article, "en") == f"{rules().title.en}, {en}"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "一"),
        (10, "十"),
        (11, "十一"),
        (20, "二十"),
        (42, "四十二"),
        (99, "九十九"),
        (100, "一百"),
        (101, "一百零一"),
        (110, "一百一十"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
    ],
)
def test_numbers_are_written_as_regulations_write_them(number: int, text: str) -> None:
    assert chinese_number(number) == text


@pytest.mark.parametrize("number", [0, -1, 10000])
def test_no_article_has_such_a_number(number: int) -> None:
    with pytest.raises(ValueError, match="no article"):
        chinese_number(number)
