"""The shapes the demo pictures are drawn from, on a canvas 300 wide and 400 high, and which category gets which.

A shape has a body that takes the fabric, details drawn over it as seams, and parts in a trim colour.
"""

import msgspec


class Silhouette(msgspec.Struct, frozen=True):
    """SVG path data. It `hangs` on a hanger, or else stands with its base at `floor` (canvas units)."""

    body: str
    seams: str = ""
    trim: str = ""
    hangs: bool = False
    floor: int = 345


_TEE = (
    "M117 92 C128 106 172 106 183 92 L206 101 C226 110 241 128 252 168 L217 184 L206 158 C204 220 206 270 208 318 "
    "C170 325 130 325 92 318 C94 270 96 220 94 158 L83 184 L48 168 C59 128 74 110 94 101 Z"
)
_LONG_SLEEVED = (
    "M119 92 C130 104 170 104 181 92 L207 102 C226 112 236 140 243 190 L258 300 L230 306 L208 190 "
    "C206 240 208 290 210 330 C170 337 130 337 90 330 C92 290 94 240 92 190 L70 306 L42 300 L57 190 "
    "C64 140 74 112 93 102 Z"
)
_DRESS_A = (
    "M122 90 C124 122 176 122 178 90 L190 92 C192 125 200 140 198 158 C196 172 186 182 184 196 "
    "C200 240 226 300 240 352 C190 370 110 370 60 352 C74 300 100 240 116 196 C114 182 104 172 102 158 "
    "C100 140 108 125 110 92 Z"
)
_DRESS_SLEEVED = (
    "M120 90 C130 112 170 112 180 90 L204 98 C220 108 230 130 236 160 L208 172 L196 150 C195 170 188 184 186 198 "
    "C194 250 210 310 218 360 C180 370 120 370 82 360 C90 310 106 250 114 198 C112 184 105 170 104 150 L92 172 "
    "L64 160 C70 130 80 108 96 98 Z"
)
_SKIRT = "M104 100 L196 100 C206 170 230 250 244 318 C190 340 110 340 56 318 C70 250 94 170 104 100 Z"
_TROUSERS = (
    "M98 88 L202 88 C210 130 216 170 216 210 L212 362 L166 364 L152 190 L148 190 L134 364 L88 362 L84 210 "
    "C84 170 90 130 98 88 Z"
)
_SHORTS = "M94 98 L206 98 C214 160 226 210 236 262 L164 276 L152 200 L148 200 L136 276 L64 262 C74 210 86 160 94 98 Z"
_COAT = (
    "M118 88 L150 130 L182 88 L210 100 C232 112 240 150 246 210 L256 304 L228 310 L210 200 "
    "C212 260 220 320 226 368 C180 376 120 376 74 368 C80 320 88 260 90 200 L72 310 L44 304 L54 210 "
    "C60 150 68 112 90 100 Z"
)
_SNEAKER = (
    "M40 292 C38 262 44 236 56 228 C78 236 96 226 108 210 C116 204 128 206 134 212 C160 244 190 262 226 268 "
    "C252 272 266 282 266 304 L266 312 L40 312 Z"
)
_HEEL = (
    "M48 216 C58 208 74 206 86 216 C112 254 150 288 196 298 C226 302 256 312 264 326 L262 334 C214 336 172 334 142 316 "
    "C114 298 96 278 82 262 C76 288 72 312 70 338 L58 338 C60 296 50 250 48 216 Z"
)
_BOOT = (
    "M82 92 C108 100 142 100 166 92 C164 150 160 200 166 236 C190 262 226 268 250 286 C262 296 264 312 262 326 L84 326 "
    "C78 270 86 180 82 92 Z"
)
_SANDAL = (
    "M42 300 C90 290 120 262 150 258 C190 254 240 280 264 306 L264 322 L42 322 Z M66 294 C62 258 76 "
    "236 92 226 L104 238"
    "C94 250 90 268 92 288 Z M130 266 C132 240 160 220 186 230 C214 242 226 264 228 286 L204 274 C192 "
    "256 172 250 156 262 Z"
)
_TOTE = "M66 186 L234 186 C240 240 246 290 248 338 C190 346 110 346 52 338 C54 290 60 240 66 186 Z"
_SATCHEL = (
    "M58 200 C58 186 66 180 80 180 L220 180 C234 180 242 186 242 200 L248 318 C248 334 240 340 226 "
    "340 L74 340 C60 340 52 334 52 318 Z"
)
_BACKPACK = (
    "M90 160 C92 120 120 104 150 104 C180 104 208 120 210 160 L226 316 C228 334 218 342 202 342 L98 "
    "342 C82 342 72 334 74 316 Z"
)
_HAT = (
    "M104 250 C100 190 116 164 150 162 C184 164 200 190 196 250 C232 254 262 264 264 276 C250 300 50 "
    "300 36 276 C38 264 68 254 104 250 Z"
)
_BEANIE = "M78 290 C74 196 106 150 150 150 C194 150 226 196 222 290 C180 302 120 302 78 290 Z"
_SCARF = (
    "M92 110 C120 140 180 140 208 110 C222 126 220 150 204 164 L196 176 L214 340 L166 346 L156 186 L142 186 L130 318 "
    "L84 310 L102 174 C80 160 78 128 92 110 Z"
)
_BELT = (
    "M60 220 C60 160 240 160 240 220 C240 280 60 280 60 220 Z M78 220 C78 262 222 262 222 220 C222 180 78 180 78 220 Z"
)
_GLASSES = (
    "M44 218 C60 204 122 204 138 220 C144 214 156 214 162 220 C178 204 240 204 256 218 C258 262 240 284 210 284 "
    "C182 284 168 266 162 238 C156 232 144 232 138 238 C132 266 118 284 90 284 C60 284 42 262 44 218 Z"
)
_PENDANT = (
    "M150 262 C170 262 182 280 178 298 C174 318 162 332 150 340 C138 332 126 318 122 298 C118 280 130 262 150 262 Z"
)
_WATCH_STRAP = "M122 84 L178 84 L184 176 L184 264 L178 356 L122 356 L116 264 L116 176 Z"
_ROMPER = (
    "M117 96 C128 110 172 110 183 96 L210 106 C228 116 238 132 246 162 L214 178 L204 160 C206 210 210 250 214 290 "
    "L206 352 L160 352 L152 300 L148 300 L140 352 L94 352 L86 290 C90 250 94 210 96 160 L86 178 L54 162 "
    "C62 132 72 116 90 106 Z"
)
_SWIM = (
    "M112 90 C112 130 130 146 150 146 C170 146 188 130 188 90 L202 90 C204 150 194 190 204 240 C214 "
    "262 206 280 190 286 C176 300 164 320 162 338 L138 338 C136 320 124 300 110 286 C94 280 86 262 96 "
    "240 C106 190 96 150 98 90 Z"
)

SILHOUETTES: dict[str, Silhouette] = {
    "tee": Silhouette(
        _TEE,
        "M117 92 C124 118 176 118 183 92 M94 158 L96 130 M206 158 L204 130 M93 308 C130 316 170 316 207 308",
        hangs=True,
    ),
    "shirt": Silhouette(
        _LONG_SLEEVED,
        "M150 108 L150 334 M143 108 L143 334 M104 186 L134 186 L134 216 L119 224 L104 216 Z M46 286 "
        "L72 292 M254 286 L228 292",
        "M118 90 L150 108 L128 132 L106 98 Z M182 90 L150 108 L172 132 L194 98 Z",
        hangs=True,
    ),
    "knit": Silhouette(
        _LONG_SLEEVED,
        "M119 92 C126 122 174 122 181 92 M113 95 C124 132 176 132 187 95 M91 312 C130 320 170 320 209 "
        "312 M45 286 L72 292"
        "M255 286 L228 292 M92 190 C92 160 94 140 98 128 M208 190 C208 160 206 140 202 128",
        hangs=True,
    ),
    "hoodie": Silhouette(
        _LONG_SLEEVED,
        "M110 252 L190 252 L204 302 L96 302 Z M138 128 L136 190 M162 128 L164 190 M91 314 C130 322 170 322 209 314",
        "M112 96 C100 60 200 60 188 96 C182 128 118 128 112 96 Z",
        hangs=True,
    ),
    "dress": Silhouette(
        _DRESS_A,
        "M116 196 C135 202 165 202 184 196 M132 204 C124 260 116 310 108 358 M168 204 C176 260 184 "
        "310 192 358 M150 205 L150 364",
        hangs=True,
    ),
    "dress_sleeved": Silhouette(
        _DRESS_SLEEVED,
        "M114 198 C135 206 165 206 186 198 M134 208 C130 260 124 310 122 364 M166 208 C170 260 176 310 178 364",
        "M114 190 C135 198 165 198 186 190 L187 204 C165 212 135 212 113 204 Z",
        hangs=True,
    ),
    "skirt": Silhouette(
        _SKIRT,
        "M124 118 C118 190 106 260 98 328 M150 118 L150 334 M176 118 C182 190 194 260 202 328",
        "M103 98 L197 98 L199 118 L101 118 Z",
        hangs=True,
    ),
    "trousers": Silhouette(
        _TROUSERS,
        "M96 106 L204 106 M150 106 L150 190 M100 108 C106 134 96 142 90 144 M200 108 C194 134 204 142 "
        "210 144 M112 190 L110 356 M188 190 L190 356 M88 350 L134 352 M166 352 L212 350 M150 130 C164 "
        "140 162 160 150 168",
        hangs=True,
    ),
    "shorts": Silhouette(
        _SHORTS,
        "M91 118 L209 118 M150 118 L150 200 M68 250 L136 264 M164 264 L232 250 M96 130 C100 154 88 "
        "164 82 166 M204 130 C200 154 212 164 218 166",
        hangs=True,
    ),
    "coat": Silhouette(
        _COAT,
        "M150 130 L152 372 M90 200 C90 170 94 150 98 136 M210 200 C210 170 206 150 202 136 M100 268 "
        "L132 262 M168 262 L200 268 M50 288 L74 294 M250 288 L226 294",
        "M118 88 L150 176 L122 150 L112 158 L104 96 Z M182 88 L150 176 L178 150 L188 158 L196 96 Z",
        hangs=True,
    ),
    "jacket": Silhouette(
        _LONG_SLEEVED,
        "M150 104 L150 334 M104 160 L138 160 M162 160 L196 160 M102 262 L128 240 M198 262 L172 240 "
        "M92 190 C92 160 94 140 98 128 M208 190 C208 160 206 140 202 128",
        "M117 90 C128 104 172 104 183 90 L190 110 C172 124 128 124 110 110 Z M89 312 C130 322 170 322 "
        "211 312 L211 332 C170 339 130 339 89 332 Z",
        hangs=True,
    ),
    "romper": Silhouette(
        _ROMPER, "M150 114 L150 300 M117 96 C124 120 176 120 183 96 M94 338 L140 338 M160 338 L206 338", hangs=True
    ),
    "swim": Silhouette(
        _SWIM, "M112 90 C112 136 130 152 150 152 C170 152 188 136 188 90 M102 222 C130 232 170 232 198 222", hangs=True
    ),
    "sneaker": Silhouette(
        _SNEAKER,
        "M56 228 C60 262 58 290 58 300 M112 234 L132 222 M124 248 L146 234 M138 260 L160 246 M154 270 "
        "L176 258 M92 300 C96 268 110 250 128 246 M226 268 C214 280 208 292 206 302",
        "M36 300 L268 300 C272 312 272 324 262 332 L44 332 C34 324 34 312 36 300 Z",
        floor=332,
    ),
    "heel": Silhouette(
        _HEEL,
        "M86 216 C112 254 150 288 196 298",
        "M142 316 C172 334 214 336 262 334 L263 338 C214 342 166 340 136 318 Z",
        floor=338,
    ),
    "boot": Silhouette(
        _BOOT,
        "M82 112 C108 120 142 120 166 112 M124 120 L122 236 M166 236 C150 250 130 252 112 246 M214 "
        "268 C206 284 204 300 206 318",
        "M80 318 L264 318 L264 332 L130 332 L126 342 L80 342 Z",
        floor=342,
    ),
    "sandal": Silhouette(_SANDAL, "M56 306 C110 300 190 296 256 310", "M40 318 L266 318 L266 332 L40 332 Z", floor=332),
    "tote": Silhouette(
        _TOTE,
        "M62 206 L238 206 M96 206 L92 342 M204 206 L208 342",
        "M104 200 C98 90 202 90 196 200 L186 200 C190 104 110 104 114 200 Z",
        floor=342,
    ),
    "satchel": Silhouette(
        _SATCHEL,
        "M66 196 L234 196 M60 326 L240 326",
        "M56 180 L244 180 L240 246 C236 264 224 268 150 268 C76 268 64 264 60 246 Z M120 180 C118 130 "
        "182 130 180 180 L170 180 C172 142 128 142 130 180 Z",
        floor=340,
    ),
    "backpack": Silhouette(
        _BACKPACK,
        "M88 176 C110 156 190 156 212 176 M96 320 L204 320",
        "M100 236 L200 236 C208 236 210 240 210 248 L214 310 C214 320 210 324 200 324 L100 324 C90 "
        "324 86 320 86 310 L90 248 C90 240 92 236 100 236 Z M132 106 C132 76 168 76 168 106 L160 106 "
        "C160 88 140 88 140 106 Z",
        floor=342,
    ),
    "hat": Silhouette(
        _HAT,
        "M40 278 C90 292 210 292 260 278",
        "M103 228 C130 240 170 240 197 228 L197 252 C170 264 130 264 103 252 Z",
        floor=296,
    ),
    "beanie": Silhouette(
        _BEANIE,
        "M106 250 C104 200 122 160 140 152 M150 250 L150 152 M194 250 C196 200 178 160 160 152",
        "M72 252 C120 266 180 266 228 252 L228 298 C180 312 120 312 72 298 Z M150 116 A20 20 0 1 0 150.1 116 Z",
        floor=308,
    ),
    "scarf": Silhouette(
        _SCARF,
        "M102 174 C130 188 170 188 198 170 M96 132 C124 158 176 158 204 132 M170 334 L212 328 M86 300 L130 308",
        hangs=True,
    ),
    "belt": Silhouette(
        _BELT,
        "M64 224 C70 176 230 176 236 224",
        "M120 244 L180 244 L180 284 L120 284 Z M132 254 L132 274 L168 274 L168 254 Z",
        floor=284,
    ),
    "glasses": Silhouette(
        _GLASSES,
        "",
        "M58 222 C76 214 112 216 126 228 C126 256 112 274 90 274 C66 274 56 252 58 222 Z M174 228 "
        "C188 216 224 214 242 222 C244 252 234 274 210 274 C188 274 174 256 174 228 Z",
        floor=290,
    ),
    "jewellery": Silhouette(
        _PENDANT,
        "M150 262 L150 340 M122 298 L178 298 M150 262 L134 298 L150 340 L166 298 Z",
        "M70 96 C70 190 120 244 148 258 L152 258 C180 244 230 190 230 96 L226 96 C224 184 178 236 150 "
        "250 C122 236 76 184 74 96 Z",
        floor=352,
    ),
    "watch": Silhouette(
        _WATCH_STRAP,
        "M126 96 L124 160 M174 96 L176 160 M126 344 L124 280 M174 344 L176 280",
        "M150 164 A56 56 0 1 0 150.1 164 Z M150 176 A44 44 0 1 1 149.9 176 Z M148 190 L152 190 L152 "
        "218 L176 232 L174 236 L148 222 Z",
        floor=360,
    ),
}

_BY_WORD: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("sneaker", "trainer", "first-steps"), ("sneaker",)),
    (("boot", "bootie"), ("boot",)),
    (("sandal", "slipper", "flip"), ("sandal",)),
    (("heel", "pump"), ("heel",)),
    (("backpack", "school-bag", "bags-school"), ("backpack",)),
    (("tote", "shopper", "beach", "sports-bag", "bags-sports"), ("tote",)),
    (("bag", "clutch", "wallet", "luggage", "purse"), ("satchel", "tote")),
    (("watch",), ("watch",)),
    (("glasses",), ("glasses",)),
    (("jewel", "ring", "necklace", "bracelet"), ("jewellery",)),
    (("beanie", "mitten", "glove"), ("beanie",)),
    (("hat", "cap", "hair"), ("hat", "beanie")),
    (("belt", "tie"), ("belt",)),
    (("scar", "shawl", "blanket"), ("scarf",)),
    (("romper", "bodysuit", "newborn", "jumpsuit", "overall", "sleepwear"), ("romper",)),
    (("swim", "underwear", "lingerie", "body"), ("swim",)),
    (("dress",), ("dress", "dress_sleeved")),
    (("skirt",), ("skirt",)),
    (("shorts",), ("shorts",)),
    (("jean", "trouser", "pants", "legging", "tights"), ("trousers",)),
    (("t-shirt", "tops", "tee", "vest"), ("tee",)),
    (("shirt", "blouse"), ("shirt",)),
    (("hoodie", "sweatshirt", "sportswear", "tracksuit"), ("hoodie",)),
    (("knit", "sweater", "jumper", "cardigan"), ("knit",)),
    (("coat", "suit", "blazer"), ("coat",)),
    (("outerwear", "jacket"), ("jacket", "coat")),
    (("shoes",), ("sneaker", "heel", "boot")),
    (("accessories",), ("scarf", "belt", "hat")),
    (("women",), ("dress", "tee", "knit")),
)
_ANYTHING = ("tee", "knit", "shirt")


def shapes_for(category: str) -> tuple[str, ...]:
    """Names of the silhouettes that suit a category slug such as `women-clothes-dresses`; never empty."""
    # The leaf tells most ("kids-shoes-girls-boots"); what stands before it helps where the leaf says nothing.
    leaf = category.split("-", 2)[-1]
    for text in (leaf, category):
        for words, shapes in _BY_WORD:
            if any(word in text for word in words):
                return shapes
    return _ANYTHING
