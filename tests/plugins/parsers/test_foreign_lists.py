"""Lists as other models, people and programs write them."""

# ruff: noqa: E501, ISC004 - tables of cases

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.data.catalog import Catalog
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.parser import EventKind
from saferec_plugins.parsers.title_year import TitleYearParser

parse = TitleYearParser()

HEAT, SAW, COCO = Title("Heat", 1995), Title("Saw", 2004), Title("Coco", 2017)
FILMS = [HEAT, SAW, COCO]

NUMBERINGS = [
    "{n}. ", "{n}.", "{n})", "{n}) ", "{n}.) ", "({n}) ", "({n})", "[{n}] ", "#{n} ", "#{n}: ", "#{n}. ", "{n}: ",
    "{n} : ", "{n} - ", "{n} – ", "{n}- ", "{n} . ", "0{n}. ", "{n}\t", "{n}/ ", "{n}> ", "No. {n}: ", "Nr. {n} - ",
    "№ {n}. ", "Number {n}: ", "Rank {n}: ", "Movie {n}: ", "Film #{n}: ", "Option {n}) ", "**{n}.** ", "**{n})** ",
    "*{n}.* ", "- {n}. ", "{n}\ufe0f\u20e3 ", "{n}\u20e3 ", "{n}\\. ", "{n}、", "{n}．", "（{n}）", "【{n}】", "第{n}位：",
    "<b>{n}.</b> ", "<li>", "\\item ", "- [x] ", "- [ ] ", "* ", "• ", "•", "◆", "★ ", "→ ", "➤ ", "🎬 ", "👉🏽 ", "✅",
    "{n}. 🎬 ", "- 🍿 ", "> {n}. ", "   {n}. ", "\ufeff{n}. ", "\u200f{n}. ", "{n}st: ", "**Title:** ", "Title: ",
    "**Movie**: ", "Title {n}: ", "{n}. **Title:** ", "- title: ", "片名：", "{n} ",
    "{n}° ", "N° {n} : ", "№{n} ", "{n}번. ", "{n}... ", "{n}.- ", "{n})- ", "{n}.: ", "(#{n}) ", "<{n}> ", "{n} • ", "*{n}* ",
    "`{n}` ", "**Film {n}** - ", "{n}. {n}. ", "-> ", "=> ", "-- ", ">> ",
    "Empfehlung {n}: ", "Recomendación {n}: ", "推荐{n}：", "映画{n}：", "Фильм {n}: ", "Tip {n} - ",
    "{n}번 ", "{n}위 ", "{n}位 ", "{n}번째 ", "{n}. [ ] ", "{n}. [x] ", "{n}) [X] ", "{n}| ", "{n} | ",
]  # fmt: skip

SERIES = [
    ["I. ", "II. ", "III. "], ["i) ", "ii) ", "iii) "], ["a) ", "b) ", "c) "], ["A. ", "B. ", "C. "],
    ["(a) ", "(b) ", "(c) "], ["①", "②", "③"], ["⑴ ", "⑵ ", "⑶ "], ["❶ ", "❷ ", "❸ "], ["Ⅰ. ", "Ⅱ. ", "Ⅲ. "],
    ["一、", "二、", "三、"], ["１．", "２．", "３．"], ["١. ", "٢. ", "٣. "], ["१. ", "२. ", "३. "], ["๑. ", "๒. ", "๓. "],
    ["1st - ", "2nd - ", "3rd - "], ["First: ", "Second: ", "Third: "], ["First) ", "Second) ", "Third) "], ["Firstly, ", "Secondly, ", "Thirdly, "],
    ["One: ", "Two: ", "Three: "], ["9. ", "10. ", "11. "], ["3. ", "2. ", "1. "], ["א. ", "ב. ", "ג. "],
    ["а) ", "б) ", "в) "], ["1️⃣ ", "2️⃣ ", "🔟 "], ["第一、", "第二、", "第三、"], ["98: ", "99: ", "100: "],
    ["One. ", "Two. ", "Three. "], ["Number one: ", "Number two: ", "Number three: "], ["A: ", "B: ", "C: "],
    ["Premier : ", "Deuxième : ", "Troisième : "], ["Primero, ", "Segundo, ", "Tercero, "], ["Erstens: ", "Zweitens: ", "Drittens: "],
    ["첫째, ", "둘째, ", "셋째, "],
]  # fmt: skip

YEARS = [
    " (1995)", "（1995）", " ( 1995 )", " [1995]", " {1995}", " (1995 film)", " (film, 1995)", " (TV series, 1995)",
    " (TV Series 1995–2019)", " (c. 1995)", " (ca. 1995)", " (1995/I)", " (1995/II)", " (١٩٩٥)", "（１９９５）", " (१९९५)",
    " (I) (1995)", " (Michael Mann, 1995)", " (dir. Michael Mann, 1995)", " (1995, Michael Mann)", " (USA, 1995)",
    " (1995; 8.3/10)", " (1995, R)", " (released 1995)", " (released in 1995)", " - 1995", " – 1995", " — 1995",
    ", 1995", " | 1995", "; 1995", ": 1995", " / 1995", " - (1995)", ", (1995)", " (1995) ⭐ 8.3/10",
    " (1995) - directed by Michael Mann", ", directed by Michael Mann (1995)", " (1995), dir. Michael Mann",
    " (1995) [R]", " (1995)[1]", "[1] (1995)", " (1995): a heist film", " (1995) ← start here", ", Year: 1995",
    " | Year: 1995", " (1995?)", " (1995-)", " (1995 – present)", " (**1995**)", " (_1995_)", " (película de 1995)",
    " (film de 1995)", " (năm 1995)", " (från 1995)", " (1995 г.)", " (1995 r.)", " (1995.)", "（1995年）",
    " (1995 crime film)", " (1995 American crime film)", " (1995 TV series)", " (1995 to 1999)", " (1995 bis 1999)",
]  # fmt: skip

WRAPPINGS = [
    "**{}**", "*{}*", "__{}__", "_{}_", "***{}***", '"{}"', "'{}'", "“{}”", "‘{}’", "„{}“", "‚{}‘", "«{}»", "»{}«", "‹{}›",
    "《{}》", "「{}」", "『{}』", "`{}`", '**"{}"**', "<b>{}</b>", "<i>{}</i>", "<em><strong>{}</strong></em>", "[{}](https://x.y/z)",
    "[{}](https://x.y/heat_(1996))", "[**{}**](/film)", "[[{}]]", "[[Page|{}]]", "\\textit{{{}}}", "\\emph{{{}}}", "[b]{}[/b]",
    '<a href="https://x.y/?a=(2001)">{}</a>', "<cite>{}</cite>", "''{}''", "~~{}~~",
]  # fmt: skip


def titles_in(text, **options):
    return [item.title for item in TitleYearParser(**options)(text).items]


@pytest.mark.parametrize("numbering", NUMBERINGS, ids=ascii)
def test_numbers_and_bullets_of_all_styles_are_no_part_of_the_title(numbering):
    lines = [f"{numbering.replace('{n}', str(n))}{title}" for n, title in enumerate(FILMS, start=1)]

    assert titles_in("\n".join(lines)) == FILMS
    assert titles_in("\n\n".join(lines)) == FILMS  # blank lines between the items


@pytest.mark.parametrize("series", SERIES, ids=ascii)
def test_numbers_of_all_scripts_are_no_part_of_the_title(series):
    lines = [f"{number}{title}" for number, title in zip(series, FILMS, strict=True)]

    if series[0] == "3. ":  # a countdown: from the 1 on nothing is another list
        lines = lines[:2]
    assert titles_in("\n".join(lines)) == FILMS[: len(lines)]


@pytest.mark.parametrize("year", YEARS, ids=ascii)
@pytest.mark.parametrize("front", ["1. ", "- ", "1. **"], ids=["numbered", "bulleted", "bold"])
def test_years_are_read_however_they_are_written(year, front):
    end = "**" if "**" in front else ""

    assert titles_in(f"{front}Heat{end}{year}\n{front}Saw{end} (2004)")[0] == HEAT


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("front", ["", "1. ", "- "], ids=["plain", "numbered", "bulleted"])
def test_wrappings_are_no_part_of_the_title(wrapping, front):
    text = "\n".join(f"{front}{wrapping.format(name)} ({year})" for name, year in FILMS)

    assert titles_in(text) == FILMS


@pytest.mark.parametrize(
    "text",
    [
        "| # | Title | Year |\n|---|:---:|---|\n| 1 | Heat | 1995 |\n| 2 | Saw | 2004 |\n| 3 | Coco | 2017 |",
        "| 1 | Heat | 1995 |\n| 2 | Saw (2004) | horror |\n| 3 | **Coco** | 2017 |",
        "| Year | Film |\n|---|---|\n| 1995 | Heat |\n| 2004 | Saw |\n| 2017 | Coco |",
        "| Heat (1995) | crime |\n| Saw (2004) | horror |\n| Coco (2017) | family |",
        "Rank | Movie | Year\n--- | --- | ---\n1 | Heat | 1995\n2 | Saw | 2004\n3 | Coco | 2017",
        "title,year\nHeat,1995\nSaw,2004\nCoco,2017",
        'rank,title,genre,year\n1,Heat,crime,1995\n2,"Saw",horror,2004\n3,Coco,family,2017',
        "Title;Year\nHeat;1995\nSaw;2004\nCoco;2017",
        "title\tyear\nHeat\t1995\nSaw\t2004\nCoco\t2017",
        "1\tHeat\t1995\n2\tSaw\t2004\n3\tCoco\t2017",
        "Title: Heat\nYear: 1995\n\nTitle: Saw\nYear: 2004\n\nTitle: Coco\nYear: 2017",
        "**Title:** Heat\n**Year:** 1995\n\n**Title:** Saw\n**Year:** 2004\n\n**Title:** Coco\n**Year:** 2017",
        "- title: Heat\n  year: 1995\n- title: Saw\n  year: 2004\n- title: Coco\n  year: 2017",
        '- title: "Heat (1995)"\n- title: "Saw (2004)"\n- title: "Coco (2017)"',
        "1. Title: Heat, Year: 1995\n2. Title: Saw, Year: 2004\n3. Title: Coco, Year: 2017",
        "1. Heat\n   (1995)\n2. Saw\n   (2004)\n3. Coco\n   (2017)",
        "1. Heat\n   Released: 1995\n2. Saw\n   Released: 2004\n3. Coco\n   Year: 2017",
        "1.\nHeat (1995)\n2.\nSaw (2004)\n3.\nCoco (2017)",
        "1. Heat (1995)\n   A crime film.\n2. Saw (2004)\n   A horror film.\n3. Coco (2017)\n   A family film.",
        "1. **Heat** (1995)\n   - Director: Michael Mann\n   - Similar: Collateral (2004)\n2. Saw (2004)\n3. Coco (2017)",
        "<ol><li>Heat (1995)</li><li>Saw (2004)</li><li>Coco (2017)</li></ol>",
        "<ul>\n<li><b>Heat</b> (1995)\n<li>Saw (2004)\n<li>Coco (2017)\n</ul>",
        "Heat (1995)<br>Saw (2004)<br/>Coco (2017)",
        "<table><tr><td>1</td><td>Heat</td><td>1995</td></tr><tr><td>2</td><td>Saw</td><td>2004</td></tr>"
        "<tr><td>3</td><td>Coco</td><td>2017</td></tr></table>",
        "\\begin{enumerate}\n\\item \\textit{Heat} (1995)\n\\item Saw (2004)\n\\item Coco (2017)\n\\end{enumerate}",
        "```\n1. Heat (1995)\n2. Saw (2004)\n3. Coco (2017)\n```",
        "```yaml\n- Heat (1995)\n- Saw (2004)\n- Coco (2017)\n```",
        "1. Crime\n   - Heat (1995)\n2. Horror\n   - Saw (2004)\n3. Family\n   - Coco (2017)",
        "## Crime\n- Heat (1995)\n\n## Horror\n- Saw (2004)\n\n## Family\n- Coco (2017)",
        "Heat (1995), Saw (2004), Coco (2017)",
        "Heat (1995); Saw (2004); Coco (2017).",
        "Heat (1995) | Saw (2004) | Coco (2017)",
        "Heat (1995), Saw (2004) and Coco (2017)",
        "“Heat” (1995), “Saw” (2004), and “Coco” (2017)",
        "1. Heat (1995) 2. Saw (2004) 3. Coco (2017)",
        "Three films: 1. Heat (1995), 2. Saw (2004), 3. Coco (2017)",
        '["Heat (1995)", "Saw (2004)", "Coco (2017)"]',
        "['Heat (1995)', 'Saw (2004)', 'Coco (2017)']",
        '[{"title": "Heat", "year": 1995}, {"title": "Saw", "year": 2004}, {"title": "Coco", "year": 2017}]',
        "1995 - Heat\n2004 - Saw\n2017 - Coco".replace("\n", "\n- ").replace("1995", "- 1995", 1),
        "1. (1995) Heat\n2. (2004) Saw\n3. [2017] Coco",
        "1. 1995 – Heat\n2. 2004 – Saw\n3. 2017 – Coco",
        "Heat - 1995\nSaw - 2004\nCoco - 2017",
        "Heat, 1995\nSaw, 2004\nCoco, 2017",
        "[('Heat', 1995), ('Saw', 2004), ('Coco', 2017)]",
        '[["Heat", 1995], ["Saw", 2004], ["Coco", 2017]]',
        "1. ('Heat', 1995)\n2. ('Saw', 2004)\n3. ('Coco', 2017)",
        "1. Title: Heat | Year: 1995 | Genre: crime\n2. Title: Saw | Year: 2004\n3. Title: Coco | Year: 2017",
        "\\boxed{Heat (1995), Saw (2004), Coco (2017)}",
        "1. Heat (1995) | crime | Mann\n2. Saw (2004) | horror | Wan\n3. Coco (2017) | family | Unkrich",
        "1. Heat | Mann | 1995\n2. Saw | Wan | 2004\n3. Coco | Unkrich | 2017",
        "| Film | Year |\n|---|---|\n| 1. Heat | 1995 |\n| **2. Saw** | 2004 |\n| 3. Coco (2017) | |",
        "| Title & Year | Why |\n|---|---|\n| Heat (1995) | unlike Alien (1979) |\n| Saw (2004) | short |\n| Coco (2017) | warm |",
        "| What to watch | Why |\n|---|---|\n| Heat (1995) | a |\n| Saw (2004) | b |\n| Coco (2017) | c |",
        "┌───┬──────┐\n│ 1 │ Heat │ 1995 │\n├───┼──────┤\n│ 2 │ Saw │ 2004 │\n│ 3 │ Coco │ 2017 │\n└───┴──────┘",
        "## 1. Heat\n**Year:** 1995\n\n## 2. Saw\n**Year:** 2004\n\n## 3. Coco\n**Released:** 2017-10-27",
        "1. **1995** – Heat\n2. **2004** – Saw\n3. **2017** – Coco",
        "<movies><movie><title>Heat</title><year>1995</year></movie><movie><title>Saw</title><year>2004</year></movie>"
        "<movie><title>Coco</title><year>2017</year></movie></movies>",
        "<table><tr><th>Title</th><th>Year</th></tr><tr><td>Heat</td><td>1995</td></tr><tr><td>Saw</td><td>2004</td></tr>"
        "<tr><td>Coco</td><td>2017</td></tr></table>",
    ],
    ids=range(59),
)
def test_whole_answers_are_read(text):
    assert titles_in(text) == FILMS


@pytest.mark.parametrize(
    "around",
    [
        "Since you enjoyed The Matrix (1999), here are 10 films:\n{}",
        "Based on your taste for The Matrix (1999), I suggest:\n\n{}\n\nEnjoy! You mentioned Alien (1979) too.",
        "**Because you liked The Matrix (1999):**\n{}",
        "Movies like The Matrix (1999):\n{}",
        "You have seen The Matrix (1999).\n{}\nI left out Alien (1979), since it is violent.",
        "{}\nI'm sorry, I can't recommend Hostel (2005).",
        "{}\nAvoid: Hostel (2005)",
        "{}\nNote: Hostel (2005) is too violent for you.",
        "{}\n\nAvoid these:\n- Hostel (2005)\n- Cube (1997)",
        "{}\n\n## Not recommended\n- Hostel (2005)",
        "{}\n[|Human|] And Hostel (2005)?\n4. Hostel (2005)",
        "{}\nUSER: more\n4. Hostel (2005)",
        "{}\n### User: more\n4. Hostel (2005)",
        "{}<|im_end|>\n<|im_start|>user\n4. Hostel (2005)",
        "{}</s> [INST] more [/INST] 4. Hostel (2005)",
        "{}\n\nHere are more:\n1. Hostel (2005)\n2. Cube (1997)",
        "[THINK]1. Hostel (2005)[/THINK]\n{}",
        "<thought>\n1. Hostel (2005)\n</thought>{}",
        "<seed:think>1. Hostel (2005)</seed:think>{}",
        "<reflection>\n- Hostel (2005)\n</reflection>\n{}",
        "<|channel|>analysis<|message|>- Hostel (2005)<|end|><|start|>assistant<|channel|>final<|message|>{}",
        "analysisThe user likes Hostel (2005).\nassistantfinal{}",
        "◁think▷Hostel (2005)◁/think▷{}",
        "<|START_THINKING|>Hostel (2005)<|END_THINKING|>\n{}",
        "<|begin_of_thought|>\n- Hostel (2005)\n<|end_of_thought|>\n{}",
        "Hostel (2005)\n<answer>\n{}\n</answer>",
        "Assistant: {}",
        "System: {}",
        "Sure! Here are three films from the time of The Matrix (1999) for you.\n{}",
        "You might enjoy these, since you loved The Matrix (1999).\n{}\nI hope you enjoy them as much as Alien (1979)!",
        "### Reasoning\n- User liked The Matrix (1999)\n- User avoids Hostel (2005)\n\n### Recommendations\n{}",
        "<plan>\n1. Hostel (2005)\n</plan>\n{}",
        "<unused94>thought\n1. Hostel (2005)\n<unused95>{}",
        "{}<|end|><|user|>\n4. Hostel (2005)",
        "{}<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>4. Hostel (2005)",
        "{}\n### Input:\n4. Hostel (2005)",
        "{}\n\nNicht geeignet:\n- Hostel (2005)",
        "{}\n\nÀ éviter :\n- Hostel (2005)",
    ],
    ids=range(38),
)
@pytest.mark.parametrize("front", ["{n}. ", "- "], ids=["numbered", "bulleted"])
def test_what_stands_around_a_list_recommends_nothing(around, front):
    written = "\n".join(f"{front.replace('{n}', str(n))}{title}" for n, title in enumerate(FILMS, start=1))
    if front == "- " and "1. Hostel (2005)\n2. Cube" in around:
        return  # only a numbered list starts again

    assert titles_in(around.replace("{}", written)) == FILMS


@pytest.mark.parametrize(
    "line",
    [
        "I'm sorry, I can't recommend Saw (2004).",
        "I cannot recommend Saw (2004)",
        "I would not suggest watching Saw (2004).",
        "Unfortunately, Saw (2004) is too violent.",
        "Avoid: Hostel (2005)",
        "Avoid Hostel (2005)",
        "Not recommended: Hostel (2005)",
        "Instead of Hostel (2005), try something milder.",
        "Since you enjoyed The Matrix (1999), here are 10 films:",
        "You mentioned Heat (1995).",
        "Already seen: Heat (1995)",
        "Based on Heat (1995) and Saw (2004):",
        "If you liked Heat (1995), you will love these",
        "Ich kann Saw (2004) leider nicht empfehlen.",
    ],
)
def test_a_refusal_or_a_mention_alone_recommends_nothing(line):
    assert titles_in(line) == []


@pytest.mark.parametrize(
    "name",
    [
        "As You Like It", "Since You Went Away", "I've Loved You So Long", "Sorry to Bother You", "Never Let Me Go",
        "Can You Ever Forgive Me?", "Don't Look Now", "Here Comes the Groom", "Note to Self", "Based on a True Story",
        "You've Got Mail", "Hello, Dolly!", "Caveat", "If...", "300: Rise of an Empire", "J. Edgar", "V. I. Warshawski",
        "1917", "2001: A Space Odyssey", "12 Monkeys", "10 Things I Hate About You", "(500) Days of Summer", "9", "X",
        "No. 2", "One, Two, Three", "Argentina, 1985", "Terminator 2: Judgment Day", "Q: The Winged Serpent", "The User",
        "Apollo 13: The Untold Story", "District 9", "X: The Unheard Music", "Seven. Eight", "The First", "Summer of '42",
        "Rocky 2: The Return", "Plan 9 from Outer Space", "Number One", "1: Nenokkadine",
    ],
)  # fmt: skip
def test_titles_that_look_like_prose_or_numbers_stay_whole(name):
    plain = [Title("Heat", 1995), Title(name, 2010), Title("Saw", 2004)]

    assert titles_in("\n".join(map(str, plain))) == plain
    assert titles_in("\n".join(f"{n}. {title}" for n, title in enumerate(plain, start=1))) == plain


def test_titles_without_a_year_keep_unreadable_ranks_where_years_are_required():
    parsed = parse("8. Kill Bill: Vol. 1\n9. Heat (1995)\n10. ???\n11.\n12. 300\n13. Saw (2004)")

    assert [(item.name, item.readable) for item in parsed.items] == [
        ("Kill Bill: Vol. 1", False),
        ("Heat", True),
        ("???", False),
        ("", False),
        ("300", False),
        ("Saw", True),
    ]
    assert parsed.count(EventKind.UNREADABLE) == 4


@pytest.fixture
def catalog(tmp_path):
    titles = [
        ("Kill Bill: Vol. 1", 2003), ("300", 2006), ("Blade Runner 2049", 2017), ("Heat", 1995), ("Heat", 1986),
        ("Matrix, The", 1999), ("Fantasia", 1940), ("Fantasia 2000", 1999), ("1: Nenokkadine", 2014), ("Saw", 2004),
        ("Seven (a.k.a. Se7en)", 1995), ("Star Wars", 1977), ("1917", 2019),
        ("The Naked Gun: From the Files of Police Squad!", 1988), ("Terminal, The", 2004),
    ]  # fmt: skip
    path = tmp_path / "catalog.jsonl"
    path.write_text("".join(json.dumps({"title": name, "year": year}) + "\n" for name, year in titles))
    return path


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("8. Kill Bill: Vol. 1", ("Kill Bill: Vol. 1", 2003)),
        ("11. 300", ("300", 2006)),
        (
            "8. The Naked Gun: From the Files of Police Squad!",
            ("The Naked Gun: From the Files of Police Squad!", 1988),
        ),
        ("18. Blade Runner 2049", ("Blade Runner 2049", 2017)),
        ("1. The Matrix", ("The Matrix", 1999)),
        ("1. the matrix - a classic", ("the matrix", 1999)),
        ("1. **The Matrix**: hackers and philosophy", ("The Matrix", 1999)),
        ('1. "The Matrix" by the Wachowskis', ("The Matrix", 1999)),
        ("1. The Matrix, a film about hackers", ("The Matrix", 1999)),
        ("1. Saw 2004", ("Saw", 2004)),
        ("- Se7en", ("Se7en", 1995)),
        ("| 1 | The Matrix | hackers |", ("The Matrix", 1999)),
        ("1. Heat", ("Heat", None)),
        ("1. 1917 – a war film", ("1917", 2019)),
        ("1. **1917** - by Sam Mendes", ("1917", 2019)),
        ("1. 2004 - Saw", ("Saw", 2004)),
        ("1. The Matrix ⭐ 8.7/10", ("The Matrix", 1999)),
        ("1. The Matrix, 136 min", ("The Matrix", 1999)),
        ("1. Saw, Heat (2004)", ("Saw, Heat", 2004)),
        ("1. Saw / Heat (2004)", ("Saw / Heat", 2004)),
        ("1. Star Wars: The Rise of Skywalker", ("Star Wars: The Rise of Skywalker", None)),
        ("1. Nobody's Film", ("Nobody's Film", None)),
        ("1. Fantasia (2000) (1999)", ("Fantasia (2000)", 1999)),
    ],
)
def test_missing_years_are_completed_where_one_entry_alone_has_the_name(catalog, line, title):
    (item,) = TitleYearParser(year="complete", catalog_path=catalog)(line).items

    assert (item.name, item.year, item.readable) == (*title, True)


@pytest.mark.parametrize(
    "heading",
    [
        "Excluding comedies, I recommend:",
        "You've already seen a lot, so:",
    ],
)
def test_a_heading_that_leaves_something_out_and_recommends_the_rest_hides_no_list(heading):
    parsed = parse(f"{heading}\n1. Saw (2004)\n2. Up (2009)\n")

    assert [item.title for item in parsed.items] == [Title("Saw", 2004), Title("Up", 2009)]


@pytest.mark.parametrize(
    "heading",
    [
        "Not suitable for you, I cannot recommend:",
        "Excluded, since I would never suggest them:",
        "Not recommended, I would recommend against:",
        "Excluded: here is what I left out:",
        "Avoid these (I suggest skipping them):",
        "To avoid, here are some:",
    ],
)
def test_a_heading_that_refuses_to_recommend_hides_its_list(heading):
    assert not parse(f"{heading}\n1. Saw (2004)\n2. Up (2009)\n").items


def test_numbered_lines_keep_their_ranks_though_all_of_them_are_prose():
    parsed = parse(
        "1. If you liked Heat (1995), try Saw (2004)\n2. If you liked Up (2009), try Coco (2017)\n"
    )

    assert [item.readable for item in parsed.items] == [False, False]


def test_praise_that_sounds_like_a_refusal_keeps_its_rank():
    (item,) = parse("I can't recommend Saw (2004) enough\n").items

    assert item.year == 2004


def test_a_table_of_films_to_avoid_recommends_nothing():
    table = "| Title | Year |\n|---|---|\n| Hostel | 2005 |\n| Cube (1997) | |"

    assert titles_in(f"1. Heat (1995)\n2. Saw (2004)\n\nFilms to avoid:\n{table}") == [HEAT, SAW]
    assert titles_in(f"Not recommended:\n\n{table}") == []


@pytest.mark.parametrize("line", ["I watched it in (May 1995)", "Watched (12.12.2012)"])
def test_dates_in_prose_are_no_titles(line):
    assert titles_in(line) == []


@pytest.mark.parametrize(
    "text",
    [
        "| Heat (1995) | crime |\n|---|---|\n| Saw (2004) | horror |",
        "| 1 | Heat (1995) |\n|---|---|\n| 2 | Saw (2004) |",
        "| Title | Year |\n|---|---|\n| Heat | 1995 |\n|---|---|\n| Saw | 2004 |",
    ],
    ids=["no head", "numbers", "rule between"],
)
def test_the_first_row_of_a_table_without_a_head_is_a_row(text):
    assert titles_in(text) == [HEAT, SAW]


@pytest.mark.parametrize("between", [", ", " / ", " - ", ": a", "; "], ids=ascii)
def test_a_line_of_many_cuts_is_read_in_linear_time(between):
    # In quadratic time each of these would take minutes.
    assert len(titles_in("1. " + f"a{between}" * 15_000 + " (1995)\n2. Saw (2004)")) == 2


def test_an_unfinished_last_line_without_a_year_is_not_completed(catalog):
    parser = TitleYearParser(year="complete", catalog_path=catalog)

    assert [item.name for item in parser("1. Saw\n2. The Terminal", finished=False).items] == ["Saw"]


def test_further_tags_of_reasoning_are_an_option():
    text = "<inner_voice>1. Saw (2004)</inner_voice>\n1. Heat (1995)"

    assert titles_in(text, reasoning_tags=["inner_voice"]) == [HEAT]


@given(
    st.lists(st.sampled_from(["1. ", "Heat (1995)", "Saw", "\n", ":", "- ", "|", " 1999", "(", "[", '"', "Year: ", "<li>",
                              "2) ", "**", "I can't recommend ", ", ", "{", "}", "[|Human|]", "title: ", "&amp;"]),
             max_size=25)
)  # fmt: skip
def test_spans_are_in_order_and_within_the_text(pieces):
    text = "".join(pieces)

    before = 0
    for item in parse(text).items:
        assert before <= item.start < item.text_end <= item.end <= len(text)
        before = item.end


HOSTILE = [
    "[a](/", "[[", '{"', '["', "['a'", "| ", "|\n", "\t", "1. a ", "#1 ", "and ", "not ", "you liked ", "kann x ", "a, ",
    "— ", "&amp;", "\\", "\\item ", "<li>", "(TV ", "(c. ", "Year: ", "，", "１", "🎬", "① ", "x by ", "“a” ", " - 1999", "a\n",
    "1.\n", "title,year\n", "(2004) a ", "Saw (2004), ", "<|channel|>", "[THINK]", "avoid ", "a: b c d e f ", "(a,,",
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_hostile_texts_of_fifty_thousand_characters_are_read(hostile):
    # In quadratic time each of these would take minutes.
    text = hostile * (50_000 // len(hostile))

    parsed = parse(text)

    assert all(item.end <= len(text) for item in parsed.items)


@pytest.mark.parametrize(
    "marks", [("1.", "2."), ("1. ", "2. "), ("1)", "2)")], ids=["tight", "spaced", "bracket"]
)
def test_a_title_may_begin_with_dots_right_after_its_number(marks):
    first, second = marks

    assert titles_in(f"{first}...And Justice for All (1979)\n{second}Saw (2004)") == [
        Title("...And Justice for All", 1979),
        SAW,
    ]


HEADED = [
    "## 1. Understanding the user\n\nThey like action.\n\n## 2. Recommendations\n\n1. Heat (1995)\n2. Saw (2004)",
    "### 1. Thrillers\n1. Heat (1995)\n2. Saw (2004)",
    "# Step 1: Read\n## 1) Films of 1994\n1) Heat (1995)\n2) Saw (2004)",
]


@pytest.mark.parametrize("text", HEADED, ids=range(len(HEADED)))
def test_a_numbered_heading_above_a_numbered_list_takes_no_rank(text):
    assert [str(item.title) for item in parse(text).items] == ["Heat (1995)", "Saw (2004)"]


def test_numbered_headings_that_are_the_list_keep_their_ranks():
    dated = "### 1. Heat (1995)\n- A heist\n- A duel\n### 2. Saw (2004)\n- A trap"
    undated = "### 1. Heat\nA heist.\n### 2. Saw\nA trap."
    mixed = "### 1. Heat (1995)\n### 2. Saw\n### 3. Coco (2017)"

    assert [str(item.title) for item in parse(dated).items] == ["Heat (1995)", "Saw (2004)"]
    assert [(item.name, item.readable) for item in parse(undated).items] == [
        ("Heat", False),
        ("Saw", False),
    ]
    assert [item.readable for item in parse(mixed).items] == [True, False, True]


def test_a_title_that_is_a_word_for_a_year_is_written_so_that_it_is_read_back():
    titles = [Title("Year", 1995), Title("Release Date", 2001), Title("Año", 1999)]

    assert [item.title for title in titles for item in parse(parse.format([title])).items] == titles
    assert [str(item.title) for item in parse("1. Heat\nYear: 1995\n2. Saw\nYear (2004)").items] == [
        "Heat (1995)",
        "Saw (2004)",
    ]


ATTRIBUTES = [
    '<list><item title="Heat" year="1995"/><item title="Saw" year="2004"/></list>',
    '<item title="Heat" year="1995" />\n<item title="Saw" year="2004" />',
    "<movie rank='1' title='Heat' release_year='1995'></movie>\n<movie rank='2' title='Saw' year='2004'></movie>",
    '1. <film year="1995" name="Heat"/>\n2. <film year="2004" name="Saw"/>',
]


@pytest.mark.parametrize("text", ATTRIBUTES, ids=range(len(ATTRIBUTES)))
def test_a_title_in_the_attributes_of_a_tag_takes_a_rank_with_its_span(text):
    items = parse(text).items

    assert [str(item.title) for item in items] == ["Heat (1995)", "Saw (2004)"]
    for item in items:
        assert item.name in text[item.start : item.end]


@pytest.mark.parametrize(
    "text",
    [
        '<item name="first">Heat (1995)</item>\n<item name="second">Saw (2004)</item>',
        '<item id="1990">Heat (1995)</item>\n<item id="1991">Saw (2004)</item>',
        '<div title="Alien (1979)">1. Heat (1995)</div>\n<div>2. Saw (2004)</div>',
    ],
    ids=["name", "id", "other-tag"],
)
def test_attributes_of_a_tag_around_a_title_are_left_out(text):
    assert [str(item.title) for item in parse(text).items] == ["Heat (1995)", "Saw (2004)"]


@pytest.mark.parametrize(
    "piece",
    [
        '<item title="',
        "<item title='a' ",
        '<item a="b"',
        "<item " + "x=y ",
        '<movie title="a" year="1/>',
        "## 1. A\n",
    ],
    ids=range(6),
)
def test_attributes_and_headings_without_end_are_read_in_linear_time(piece):
    text = piece * (50_000 // len(piece)) + "\n1. Heat (1995)"

    assert all(item.end <= len(text) for item in parse(text).items)


def test_a_title_in_a_wrong_encoding_is_found_in_the_catalog():
    titles = [("Amélie", 2001), ("Ocean’s Eleven", 2001), ("AMANHÃ – PARTE 2", 2010)]
    catalog = Catalog([Title(name, year) for name, year in titles])

    for written, meant in (("AmÃ©lie", 0), ("Oceanâ€™s Eleven", 1), ("AMANHÃ – PARTE 2", 2), ("Amelie", 0)):
        [item] = parse(f"1. {written} ({titles[meant][1]})").items
        assert item.name == written
        assert catalog.find(item.name, item.year) == meant
    assert catalog.find("Amalie", 2001) is None
