"""Where a number is: its time zone by its calling code, its province by its head."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

# Country calling codes with their countries and times (ITU-T E.164, list of assigned codes). A zone
# is named where nearly all of a country's subscribers live in it. Where they do not, the zone is
# empty, unless the area stands in the number: North America and Brazil. Numbers keep their area
# when people move, so an area's time is the best guess, not more.
# One line is one zone prefix: each entry is code, country and the rest of the zone's name.
_WORLD = {
    "Africa": """
        20 EG Cairo, 211 SS Juba, 212 MA Casablanca, 213 DZ Algiers, 216 TN Tunis, 218 LY Tripoli,
        220 GM Banjul, 221 SN Dakar, 222 MR Nouakchott, 223 ML Bamako, 224 GN Conakry,
        225 CI Abidjan, 226 BF Ouagadougou, 227 NE Niamey, 228 TG Lome, 229 BJ Porto-Novo,
        231 LR Monrovia, 232 SL Freetown, 233 GH Accra, 234 NG Lagos, 235 TD Ndjamena,
        236 CF Bangui, 237 CM Douala, 239 ST Sao_Tome, 240 GQ Malabo, 241 GA Libreville,
        242 CG Brazzaville, 244 AO Luanda, 245 GW Bissau, 249 SD Khartoum, 250 RW Kigali,
        251 ET Addis_Ababa, 252 SO Mogadishu, 253 DJ Djibouti, 254 KE Nairobi,
        255 TZ Dar_es_Salaam, 256 UG Kampala, 257 BI Bujumbura, 258 MZ Maputo, 260 ZM Lusaka,
        263 ZW Harare, 264 NA Windhoek, 265 MW Blantyre, 266 LS Maseru, 267 BW Gaborone,
        268 SZ Mbabane, 27 ZA Johannesburg, 291 ER Asmara""",
    "America": """
        297 AW Aruba, 299 GL Nuuk, 501 BZ Belize, 502 GT Guatemala, 503 SV El_Salvador,
        504 HN Tegucigalpa, 505 NI Managua, 506 CR Costa_Rica, 507 PA Panama, 508 PM Miquelon,
        509 HT Port-au-Prince, 51 PE Lima, 53 CU Havana, 54 AR Argentina/Buenos_Aires,
        56 CL Santiago, 57 CO Bogota, 58 VE Caracas, 590 GP Guadeloupe, 591 BO La_Paz,
        592 GY Guyana, 593 EC Guayaquil, 594 GF Cayenne, 595 PY Asuncion, 596 MQ Martinique,
        597 SR Paramaribo, 598 UY Montevideo, 599 CW Curacao""",
    "Asia": """
        357 CY Nicosia, 374 AM Yerevan, 60 MY Kuala_Lumpur, 63 PH Manila, 65 SG Singapore,
        66 TH Bangkok, 670 TL Dili, 673 BN Brunei, 76 KZ Almaty, 77 KZ Almaty, 81 JP Tokyo,
        82 KR Seoul, 84 VN Ho_Chi_Minh, 850 KP Pyongyang, 852 HK Hong_Kong, 853 MO Macau,
        855 KH Phnom_Penh, 856 LA Vientiane, 86 CN Shanghai, 880 BD Dhaka, 886 TW Taipei,
        91 IN Kolkata, 92 PK Karachi, 93 AF Kabul, 94 LK Colombo, 95 MM Yangon, 961 LB Beirut,
        962 JO Amman, 963 SY Damascus, 964 IQ Baghdad, 965 KW Kuwait, 966 SA Riyadh, 967 YE Aden,
        968 OM Muscat, 970 PS Hebron, 971 AE Dubai, 972 IL Jerusalem, 973 BH Bahrain,
        974 QA Qatar, 975 BT Thimphu, 976 MN Ulaanbaatar, 977 NP Kathmandu, 98 IR Tehran,
        992 TJ Dushanbe, 993 TM Ashgabat, 994 AZ Baku, 995 GE Tbilisi, 996 KG Bishkek,
        998 UZ Tashkent""",
    "Atlantic": """
        238 CV Cape_Verde, 247 AC St_Helena, 290 SH St_Helena, 298 FO Faroe, 354 IS Reykjavik,
        500 FK Stanley""",
    "Europe": """
        30 GR Athens, 31 NL Amsterdam, 32 BE Brussels, 33 FR Paris, 34 ES Madrid,
        350 GI Gibraltar, 351 PT Lisbon, 352 LU Luxembourg, 353 IE Dublin, 355 AL Tirane,
        356 MT Malta, 358 FI Helsinki, 359 BG Sofia, 36 HU Budapest, 370 LT Vilnius, 371 LV Riga,
        372 EE Tallinn, 373 MD Chisinau, 375 BY Minsk, 376 AD Andorra, 377 MC Monaco,
        378 SM San_Marino, 380 UA Kyiv, 381 RS Belgrade, 382 ME Podgorica, 383 XK Belgrade,
        385 HR Zagreb, 386 SI Ljubljana, 387 BA Sarajevo, 389 MK Skopje, 39 IT Rome,
        40 RO Bucharest, 41 CH Zurich, 420 CZ Prague, 421 SK Bratislava, 423 LI Vaduz,
        43 AT Vienna, 44 GB London, 45 DK Copenhagen, 46 SE Stockholm, 47 NO Oslo, 48 PL Warsaw,
        49 DE Berlin, 90 TR Istanbul""",
    "Indian": """
        230 MU Mauritius, 246 IO Chagos, 248 SC Mahe, 261 MG Antananarivo, 262 RE Reunion,
        269 KM Comoro, 960 MV Maldives""",
    "Pacific": """
        64 NZ Auckland, 672 NF Norfolk, 674 NR Nauru, 675 PG Port_Moresby, 676 TO Tongatapu,
        677 SB Guadalcanal, 678 VU Efate, 679 FJ Fiji, 680 PW Palau, 681 WF Wallis,
        682 CK Rarotonga, 683 NU Niue, 685 WS Apia, 687 NC Noumea, 688 TV Funafuti,
        689 PF Tahiti, 690 TK Fakaofo, 692 MH Majuro""",
    "": "243 CD, 52 MX, 55 BR, 61 AU, 62 ID, 686 KI, 691 FM, 7 RU",
}

# Code 1 with its area codes (North American Numbering Plan). An area that two zones share
# stands with the larger part of its people; 867, the three northern territories, has no zone.
_NORTH_AMERICA = {
    "US America/New_York": """
        201 202 203 207 212 215 216 220 223 227 229 231 234 239 240 248 252 260 267 269 272 276
        283 301 302 304 305 313 315 317 321 324 326 329 330 332 336 339 347 351 352 363 380 386
        401 404 407 410 412 413 419 423 434 436 440 443 445 448 463 470 472 475 478 484 502 508
        513 516 517 518 540 551 561 567 570 571 574 582 585 586 603 606 607 609 610 614 616 617
        624 631 640 645 646 656 667 678 679 680 681 686 689 703 704 706 716 717 718 724 727 728
        732 734 740 743 754 757 762 765 770 771 772 774 781 786 802 803 804 810 812 813 814 821
        826 828 835 838 839 843 845 848 850 854 856 857 859 860 862 863 864 865 878 904 906 908
        910 912 914 917 919 929 930 934 937 941 943 947 948 954 959 973 978 980 984 989""",
    "US America/Chicago": """
        205 210 214 217 218 219 224 225 228 235 251 254 256 262 270 274 281 308 309 312 314 316
        318 319 320 325 327 331 334 337 346 353 361 364 402 405 409 414 417 430 432 447 457 464
        469 479 483 501 504 507 512 515 531 534 539 557 563 572 573 580 601 605 608 612 615 618
        620 621 629 630 636 641 651 659 660 662 682 701 708 712 713 715 726 730 731 737 763 769
        773 779 785 806 815 816 817 830 832 847 861 870 872 901 903 913 918 920 924 931 936 938
        940 945 952 956 972 975 979 985""",
    "US America/Denver": "208 303 307 385 406 435 505 575 719 720 748 801 915 970 983 986",
    "US America/Phoenix": "480 520 602 623 928",
    "US America/Los_Angeles": """
        206 209 213 253 279 310 323 341 350 357 360 369 408 415 424 425 442 458 503 509 510 530
        541 559 562 564 619 626 628 650 657 661 669 702 707 714 725 738 747 760 775 805 818 820
        831 837 840 858 909 916 925 949 951 971""",
    "US America/Anchorage": "907",
    "US Pacific/Honolulu": "808",
    "CA America/St_Johns": "709 879",
    "CA America/Halifax": "428 506 782 902",
    "CA America/Toronto": """
        226 249 263 289 343 354 365 367 382 387 416 418 437 438 450 468 514 519 548 579 581 613
        647 683 705 742 753 807 819 873 905 942""",
    "CA America/Winnipeg": "204 431 584",
    "CA America/Regina": "306 474 639",
    "CA America/Edmonton": "368 403 587 780 825",
    "CA America/Vancouver": "236 250 257 604 672 778",
    "CA": "867",
    "PR America/Puerto_Rico": "787 939",
    "VI America/St_Thomas": "340",
    "GU Pacific/Guam": "671",
    "MP Pacific/Saipan": "670",
    "AS Pacific/Pago_Pago": "684",
    "BS America/Nassau": "242",
    "BB America/Barbados": "246",
    "AI America/Anguilla": "264",
    "AG America/Antigua": "268",
    "VG America/Tortola": "284",
    "KY America/Cayman": "345",
    "BM Atlantic/Bermuda": "441",
    "GD America/Grenada": "473",
    "TC America/Grand_Turk": "649",
    "JM America/Jamaica": "658 876",
    "MS America/Montserrat": "664",
    "SX America/Lower_Princes": "721",
    "LC America/St_Lucia": "758",
    "DM America/Dominica": "767",
    "VC America/St_Vincent": "784",
    "DO America/Santo_Domingo": "809 829 849",
    "TT America/Port_of_Spain": "868",
    "KN America/St_Kitts": "869",
}

# Code 55 with its area codes. Coast and south keep one time.
_BRAZIL = {
    "BR America/Sao_Paulo": """
        11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49
        51 53 54 55 61 62 63 64 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 91 93 94 96 98 99""",
    "BR America/Campo_Grande": "67",
    "BR America/Cuiaba": "65 66",
    "BR America/Manaus": "92 97",
    "BR America/Boa_Vista": "95",
    "BR America/Porto_Velho": "69",
    "BR America/Rio_Branco": "68",
}


def _areas(code: str, table: dict[str, str]) -> dict[str, str]:
    return {
        code + area: where.partition(" ")[2]
        for where, areas in table.items()
        for area in areas.split()
    }


def _world() -> dict[str, str]:
    found = {}
    for region, entries in _WORLD.items():
        for entry in entries.split(","):
            code, _, *city = entry.split()
            found[code] = f"{region}/{city[0]}" if city else ""
    return found


# Leading digits -> time zone; the longest match counts. A number with code 1 and no known area may
# be a free-phone or a short number.
PREFIXES = _world() | _areas("1", _NORTH_AMERICA) | _areas("55", _BRAZIL)
_LONGEST_PREFIX = max(map(len, PREFIXES))


# A mainland mobile number is 86, then a head (号段) of seven digits, then four digits.
_MAINLAND = 86
_FIRST_HEAD, _HEADS = 1_000_000, 1_000_000
_PER_HEAD = 10_000
_MAX_PROVINCES = 255

# Shorter numbers are service numbers of some network: their first digits are not a country code.
_SHORTEST = 8


class ProvinceTable:
    """The province of each head of seven digits; one octet a head, 1 MB in all.

    The carriers must supply the assignments. A number that moved with its owner keeps the province
    of its head.
    """

    __slots__ = ("_provinces", "_rows")

    def __init__(self, heads: Iterable[tuple[int, str]] = ()) -> None:
        """Take (head, province code) pairs.

        Raises ValueError for a head that is not a mobile one or is given to two provinces, and for
        more than 255 provinces.
        """
        self._provinces = [""]
        self._rows = bytearray(_HEADS)
        known: dict[str, int] = {}
        for head, province in heads:
            self._enter(head, province, known)

    def _enter(self, head: int, province: str, known: dict[str, int]) -> None:
        row = head - _FIRST_HEAD
        if not 0 <= row < _HEADS:
            raise ValueError(f"{head} is no head of seven digits that starts with 1")
        if not province:
            raise ValueError(f"{head} has no province")
        if province not in known:
            if len(known) == _MAX_PROVINCES:
                raise ValueError(f"more than {_MAX_PROVINCES} provinces")
            known[province] = len(self._provinces)
            self._provinces.append(province)
        if self._rows[row] not in (0, known[province]):
            raise ValueError(f"{head} is given to two provinces")
        self._rows[row] = known[province]

    def province_of(self, msisdn: int) -> str:
        """Return the province of a whole E.164 number, "" if it is not known."""
        head = msisdn // _PER_HEAD
        row = head % (10 * _HEADS) - _FIRST_HEAD
        is_here = head // _HEADS // 10 == _MAINLAND and 0 <= row < _HEADS
        return self._provinces[self._rows[row]] if is_here else ""


class Zones:
    """The time zones of numbers.

    `default` is the zone of the profile: it holds for unknown numbers, and for countries of several
    zones if the number does not tell the area.
    Every zone is read when this is made: a name that the time zone database lacks raises ValueError
    then, not when the first message asks for it.
    """

    __slots__ = ("_by_prefix", "default")

    def __init__(self, default: str) -> None:
        self.default = _read(default)
        self._by_prefix = {
            prefix: _read(zone) if zone else self.default for prefix, zone in PREFIXES.items()
        }

    def zone_of(self, msisdn: int) -> ZoneInfo:
        """Return the time zone of the subscriber of a whole E.164 number."""
        digits = str(msisdn)
        if len(digits) >= _SHORTEST:
            for length in range(_LONGEST_PREFIX, 0, -1):
                found = self._by_prefix.get(digits[:length])
                if found is not None:
                    return found
        return self.default


def _read(name: str) -> ZoneInfo:
    # zoneinfo reads the system's time zone database: data, no clock.
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # KeyError: no such zone; OSError: a folder
        raise ValueError(f"time zone {name!r} is not in the time zone database") from error
