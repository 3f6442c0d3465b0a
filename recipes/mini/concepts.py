"""The table of concepts that ``mini`` knows: which pictures belong to which word.

Pure data. Every entry was chosen by reading the names in the raw material and by looking at the pictures.
Patterns are shell patterns (``fnmatch``) on the names each source uses itself; the first concept that matches a
name has it. Emoji and photos are separated by commas, all other names by blanks.
"""

from __future__ import annotations

from dataclasses import dataclass

STYLES = ("", "-fill", "-filled", "-solid", "-duotone", "-bold-duotone", "-24-filled")


@dataclass(frozen=True)
class Concept:
    """One sound-making thing, and the names that select its pictures."""

    label: str  # the word put into prompts: "a photo of [label]"
    emoji: tuple[str, ...] = ()  # emojibase labels
    icons: tuple[str, ...] = ()  # iconify names, "set:name"
    stamps: tuple[str, ...] = ()  # paths below tuxpaint's stamps
    drawings: tuple[str, ...] = ()  # paths below openclipart's svg
    gcompris: tuple[str, ...] = ()  # "archive/name" of pictures in GCompris
    photos: tuple[str, ...] = ()  # ImageNet class names (or "dog-breed"); only the encoder may see these
    without: tuple[str, ...] = ()  # names selected above which turned out to show something else


def concept(
    label: str,
    emoji: str = "",
    icons: str = "",
    stamps: str = "",
    drawings: str = "",
    gcompris: str = "",
    photos: str = "",
    without: str = "",
) -> Concept:
    """Build a concept from lists in strings; an icon without a set means all sets and the styles of STYLES."""
    wanted: list[str] = []
    for name in icons.split():
        wanted += [name] if ":" in name else [f"*:{name}{style}" for style in STYLES]
    return Concept(
        label,
        emoji=tuple(" ".join(name.split()) for name in emoji.split(",") if name.strip()),
        icons=tuple(wanted),
        stamps=tuple(stamps.split()),
        drawings=tuple(drawings.split()),
        gcompris=tuple(gcompris.split()),
        photos=tuple(" ".join(name.split()) for name in photos.split(",") if name.strip()),
        without=tuple(without.split()),
    )


CONCEPTS: tuple[Concept, ...] = (
    # animals
    concept(
        "dog",
        emoji="dog, dog face, guide dog, service dog, poodle",
        icons="""dog dog-face poodle guide-dog service-dog dog-side dog-service jumping-dog sitting-dog
            sniffing-dog basset-hound-head pet-animals-dog animal-dog""",
        stamps="animals/mammals/dogs/dog.png",
        drawings="animals/mammals/dog_* animals/mammals/dogs/*",
        gcompris="explore_farm_animals/dog.svg lang/dog.webp",
        photos="dog-breed",
    ),
    concept(
        "cat",
        emoji="cat, cat face, black cat, grinning cat, smiling cat with heart-eyes, weary cat, kissing cat",
        icons="""cat cat-face black-cat animal-cat hollow-cat cat-1 cat-2 cat-big grinning-cat weary-cat
            pouting-cat pet-animals-cat weary-cat-face pouting-cat-face smiling-cat-with-heart-eyes
            cat-with-wry-smile nature-ecology-cat-head-cat-pet-animals-felyne""",
        stamps="animals/mammals/cats/kitten.svg seasonal/halloween/blackcat.png",
        drawings="animals/mammals/cartoon_cat_* animals/mammals/housecats/*",
        gcompris="explore_farm_animals/cat.svg lang/cat.webp",
        photos="tabby, tiger cat, Persian cat, Siamese cat, Egyptian cat",
        without="*/cat_scrathing_post_* */le_mie_tigri_* */cartoon_vgcats_*",
    ),
    concept(
        "lion",
        emoji="lion",
        icons="lion lion-face",
        stamps="animals/mammals/cats/lion*.png animals/mammals/cats/cartoon/lion.png",
        drawings="animals/mammals/big_cats/leone_*",
        photos="lion",
    ),
    concept(
        "cow",
        emoji="cow, cow face, ox, water buffalo",
        icons="""cow cow-face ox water-buffalo animal-cow cattle cow-head bull-head pet-animals-buffalo
            pet-animals-ox game-icons:bull cattle-zodiac""",
        stamps="""animals/mammals/bovines/cow*.png animals/mammals/bovines/bull.png
            animals/mammals/bovines/zebu.png""",
        drawings="animals/mammals/bull_* animals/mammals/mhooo_* animals/mammals/vacca_* unsorted/mucca.svg",
        gcompris="explore_farm_animals/cow.svg lang/cow.webp lang/bull.webp",
        photos="ox, water buffalo, bison",
    ),
    concept(
        "sheep",
        emoji="ewe, ram",
        icons="ewe ewe-1 ewe-2 sheep sheep-zodiac ram-profile *:ram",
        stamps="animals/mammals/bovines/sheep*.png animals/mammals/bovines/ram.png",
        drawings="""animals/mammals/dall_sheep_* animals/mammals/pecora_* animals/mammals/sheep-*
            animals/mammals/shaezy_* unsorted/pecorella.svg""",
        gcompris="explore_farm_animals/sheep.svg lang/sheep.webp",
        photos="ram, bighorn",
        without="game-icons:ram",
    ),
    concept(
        "horse",
        emoji="horse, horse face, horse racing, horse racing: *skin tone, carousel horse",
        icons="""horse horse-face horse-head horse-variant horse-variant-fast horse-human horse-racing
            horse-riding horse-zodiac racetrack-horse horse-saddle emojione:horse-racing-*
            openmoji:horse-racing-* fluent-emoji-flat:horse-racing-* horse-jumping-hurdle""",
        stamps="animals/mammals/equines/horse.png",
        drawings="animals/mammals/horses/* transportation/roadsigns/horse.svg",
        gcompris="explore_farm_animals/horse.svg lang/horse.webp",
        photos="sorrel",
        without="*/mechorse.svg carousel?horse",
    ),
    concept(
        "pig",
        emoji="pig, pig face, boar",
        icons="pig pig-face boar boar-1 boar-2 animal-pig pig-head pig-variant pig-zodiac pet-animals-pig",
        stamps="animals/mammals/pig*.png animals/mammals/wildboar.png",
        drawings="animals/mammals/a_simple_pig_* animals/mammals/pig_* animals/mammals/porcinet_*",
        gcompris="explore_farm_animals/pig.svg lang/pig.webp",
        photos="hog, wild boar, warthog",
    ),
    concept(
        "goat",
        emoji="goat",
        icons="goat",
        stamps="animals/mammals/bovines/goat.png animals/mammals/bovines/mountaingoat.png",
        drawings="animals/mammals/goat_* animals/mammals/stambecco_*",
        photos="ibex",
    ),
    concept(
        "rooster",
        emoji="rooster",
        icons="rooster chicken-zodiac",
        stamps="animals/birds/rooster.png",
        drawings="animals/birds/rooster* animals/birds/gallo_*",
        photos="cock",
    ),
    concept(
        "hen",
        emoji="chicken, baby chick, hatching chick, front-facing baby chick",
        icons="chicken animal-chicken baby-chick hatching-chick hatching-chick-1 front-facing-baby-chick",
        stamps="animals/birds/hen.png animals/birds/chicken_profile.png seasonal/easter/chick*.png",
        drawings="animals/birds/hen_* unsorted/marchio_gallina_*",
        gcompris="""explore_farm_animals/chicken.svg explore_farm_animals/explore_farm_animals.svg
            lang/chicken.webp""",
        photos="hen",
        without="streamline-kameleon-color:chicken tdesign:chicken*",
    ),
    concept(
        "crow",
        emoji="black bird",
        icons="crow blackbird black-bird raven crow-dive",
        stamps="animals/birds/crow.png animals/birds/blackbird.png",
        drawings="animals/birds/crow_*",
    ),
    concept(
        "seagull",
        icons="seagull",
        stamps="animals/birds/seagull.png animals/birds/silver-gull.png",
        drawings="animals/birds/gull_* animals/birds/seagull_* animals/birds/gabbiano_* unsorted/gabbiano_*",
        photos="albatross",
    ),
    concept(
        "owl",
        emoji="owl",
        icons="owl barn-owl owl-rounded",
        stamps="animals/birds/owl.png",
        drawings="animals/birds/owl_* animals/birds/gufo_*",
        gcompris="explore_farm_animals/owl.svg lang/owl.webp",
        photos="great grey owl",
    ),
    concept(
        "bird",
        emoji="bird, dove",
        icons="""bird bird-1 bird-2 bird-twitter dove sparrow swallow hummingbird pigeon freedom-dove
            peace-dove""",
        stamps="""animals/birds/lark.png animals/birds/swallow.svg animals/birds/cuckoo.png
            animals/birds/magpie.png animals/birds/pigeon.png seasonal/easter/bluebird.png""",
        drawings="""animals/birds/bird_of_peace_* animals/birds/dove_* animals/birds/uccello_*
            animals/birds/stormo_* unsorted/pennuto* unsorted/Colombo.svg unsorted/colombo2.svg""",
        gcompris="lang/bird.webp",
        photos="""brambling, goldfinch, house finch, junco, indigo bunting, robin, bulbul, jay, magpie,
            chickadee, water ouzel, hummingbird, jacamar, bee eater, coucal""",
        without="fxemoji:bird game-icons:swallow unsorted/pennuto02.svg",
    ),
    concept(
        "frog",
        emoji="frog",
        icons="frog frog-face frog-prince pet-animals-frog pet-animals-frog-face",
        stamps="animals/amphibians/frog*.png",
        drawings="animals/rana* animals/red-eye_frog_*",
        gcompris="lang/frog.webp",
        photos="bullfrog, tree frog, tailed frog",
    ),
    concept(
        "elephant",
        emoji="elephant, mammoth",
        icons="elephant elephant-head elephant-face mammoth circus-elephant circus-elephant-bold",
        stamps="animals/mammals/elephant.png",
        drawings="animals/mammals/elefante* animals/mammals/elephant_* unsorted/elefant*",
        photos="tusker, Indian elephant, African elephant",
    ),
    concept(
        "cricket",
        emoji="cricket",
        icons="""fluent-emoji-flat:cricket fluent-emoji-high-contrast:cricket openmoji:cricket
            game-icons:cricket locust""",
        stamps="animals/insects/grasshopper.png",
        drawings="animals/bugs/grass_hopper_* animals/bugs/cavalletta_*",
        photos="cricket, grasshopper",
    ),
    concept(
        "bee",
        emoji="honeybee",
        icons="bee honeybee bee-flower wasp-sting",
        stamps="animals/insects/bee.* animals/insects/hornet.png animals/insects/hoverfly.png",
        drawings="animals/bugs/abeille_* animals/bugs/bee* animals/bugs/flying_wasp_*",
        gcompris="lang/bee.webp",
        photos="bee",
        without="carbon:bee",
    ),
    # nature
    concept(
        "thunder",
        emoji="high voltage, cloud with lightning",
        icons="""high-voltage cloud-with-lightning cloud-lightning cloud-bolt thunderstorm thunderstorms
            bolt-lightning lightning-storm lightning-tree lightning-branches heavy-lightning lightning-arc
            thunder-struck focused-lightning weather-lightning weather-thunderstorm storm-showers
            lightning lightning-bolt thunder cloud-storm cloud-bolt-minimalistic wi:day-lightning
            wi:lightning wi:thunderstorm baseline-thunderstorm cloud-lightning-bold""",
        stamps="naturalforces/lightningbolt.png",
        drawings="""signs_and_symbols/weather/lightning_* computer/icons/lightning_icon_*
            signs_and_symbols/weather/storm.svg""",
        without="meteocons:*",
    ),
    concept(
        "wind",
        emoji="wind face, leaf fluttering in wind, tornado, dashing away",
        icons="""wind wind-face leaf-fluttering-in-wind tornado weather-windy weather-windy-variant
            weather-tornado dashing-away fast-wind slow-winds strong-wind heavy-wind windsock wind-slap
            windy whirlwind half-tornado cloud-wind cloud-windy windy-strong weather-wind-flag
            weather-wind-flow-6-bold weather-cloud-wind-3 weather-cloud-wind-4 wind-flag
            wind-velocity-measure wi:cloudy-windy air""",
        drawings="transportation/roadsigns/crosswind.svg",
        without="icon-park:whirlwind meteocons:wind* meteocons:tornado*",
    ),
    concept(
        "rain",
        emoji="""cloud with rain, sun behind rain cloud, umbrella with rain drops, cloud with lightning and
            rain""",
        icons="""cloud-with-rain cloud-with-rain-1 cloud-with-rain-2 sun-behind-rain-cloud
            umbrella-with-rain-drops cloud-with-lightning-and-rain cloud-rain cloud-showers-heavy
            cloud-sun-rain raining weather-rainy weather-pouring weather-partly-rainy rainy heavy-showers
            heavy-rain light-rain wi:rain wi:showers weather-rain""",
        drawings="signs_and_symbols/weather/rain.svg",
        without="meteocons:*",
    ),
    concept(
        "sea waves",
        emoji="water wave, person surfing, man surfing, woman surfing",
        icons="""water-wave fxemoji:wave openmoji:tsunami big-wave wave-crest waves at-sea wave-surfer
            person-surfing tsunami surfing house-tsunami sea baseline-tsunami baseline-waves
            baseline-surfing man-surfing woman-surfing""",
        photos="seashore, sandbar, breakwater",
        without="icon-park:waves",
    ),
    concept(
        "river",
        emoji="national park",
        icons="""river waterfall splashy-stream national-park water-mill stone-bridge arch-bridge bridge-water
            rafting game-icons:japanese-bridge""",
        drawings="unsorted/landscape_near_the_river_*",
    ),
    concept(
        "fire",
        emoji="fire",
        icons="""fire campfire fireplace bonfire wild-fire small-fire flame fire-bowl fire-flame-curved
            pine-tree-fire wildfires fluffy-flame fire-flame fire-flame-simple local-fire-department
            baseline-local-fire-department fire-pit fire-simple campfire-bold""",
        stamps="naturalforces/fire.png",
        drawings="recreation/party/fire_* signs_and_symbols/flame_* shapes/fire-ball_*",
    ),
    # vehicles
    concept(
        "helicopter",
        emoji="helicopter",
        icons="helicopter helicopter-2 aircraft-chopper-1 aircraft-chopper-2-bold transportation-helicopter",
        drawings="transportation/aiga-symbols/aiga_heliport1.svg",
        gcompris="babymatch/tuxhelico.svg chronos/helico_*",
    ),
    concept(
        "ambulance",
        emoji="ambulance",
        icons="""ambulance ambulance-1 health-ambulance-car military-ambulance ambulance-rounded
            ambulance-negative""",
        drawings="transportation/ambulans_* unsorted/ambulanza.svg",
        photos="ambulance",
    ),
    concept(
        "train",
        emoji="locomotive, train, high-speed train, bullet train, metro, mountain railway, railway car",
        icons="""locomotive train high-speed-train bullet-train diesel-locomotive steam-locomotive train-front
            train-variant subway-train railway-car mountain-railway high-speed-train-front
            high-speed-train-side transportation-train transportation-vintage-train baseline-train
            railroad-metro speed-train-01 toy-train train-steam board-train board-train-steam metro
            directions-railway""",
        drawings="recreation/toys/kiddy_train_* transportation/roadsigns/train.svg",
        photos="bullet train, electric locomotive, steam locomotive, freight car, passenger car",
        without="fontisto:metro uil:metro material-symbols:metro* hugeicons:metro*",
    ),
    concept(
        "airplane",
        emoji="airplane, small airplane, airplane departure, airplane arrival",
        icons="""airplane small-airplane airplane-departure airplane-arrival commercial-airplane
            airplane-takeoff airplane-landing airplane-in-flight airplane-tilt airport-plane plane biplane
            plane-departure plane-arrival transportation-plane baseline-flight""",
        stamps="military/vehicles/f22_raptor.png military/vehicles/mustang.svg",
        drawings="""transportation/airplane.svg transportation/vehicles/aircraft_*
            transportation/vehicles/airplane_* transportation/plane_in_the_sky_*
            transportation/vehicles/plane_silhouet_* transportation/vehicles/departing_plane_*
            transportation/vehicles/military_airplane_*
            transportation/aiga-symbols/aiga_air_transportation1.svg""",
        gcompris="babymatch/tuxplane.svg",
        photos="airliner, warplane",
    ),
    concept(
        "car",
        emoji="automobile, oncoming automobile, taxi, oncoming taxi, sport utility vehicle, racing car",
        icons="""automobile oncoming-automobile taxi oncoming-taxi sport-utility-vehicle racing-car car
            car-side car-sports car-hatchback car-estate car-convertible city-car race-car taxi-2
            car-retro car-4 car-front directions-car baseline-directions-car car-3 car-2 f1-car""",
        drawings="""transportation/car_jamin_* transportation/vehicles/car.svg transportation/dodge_neon_*
            transportation/vehicles/old_car_* transportation/vehicles/redcar_*
            transportation/vehicles/skoda_* transportation/sportcar_* transportation/vehicles/hummers/*
            transportation/vehicles/1989_* transportation/vehicles/_chevrolet_* transportation/toyota_*
            transportation/formula_one_* transportation/vehicles/blazer_* transportation/vehicles/autos_*
            transportation/aiga-symbols/aiga_taxi1.svg""",
        gcompris="babymatch/car.svg babymatch/minivan.svg",
        photos="""beach wagon, cab, convertible, jeep, limousine, minivan, Model T, racer, sports car, police
            van""",
    ),
    concept(
        "boat",
        emoji="""sailboat, canoe, speedboat, passenger ship, ferry, motor boat, ship, person rowing boat, man
            rowing boat, woman rowing boat""",
        icons="""sailboat canoe speedboat passenger-ship ferry motor-boat ship person-rowing-boat sail-boat
            boat fishing-boat speed-boat galleon boat-fishing yacht drakkar cargo-ship sail-ship
            directions-boat baseline-directions-boat small-fishing-sailboat shooner-sailboat
            paddle-steamer ship-2 sailing sait-boat shipment-cargo-boat rowing""",
        drawings="""transportation/boating/boat_jarno_* transportation/boating/sailboat_illustration.svg
            transportation/boating/sailing_sunset.svg transportation/boating/sailing_kids.svg
            transportation/vehicles/trawler_* transportation/vehicles/the_mad_little_ship_*
            transportation/aiga-symbols/aiga_water_transportation1.svg""",
        gcompris="babymatch/sailingboat.svg babymatch/fishingboat.svg",
        photos="""canoe, catamaran, fireboat, gondola, lifeboat, schooner, speedboat, trimaran, yawl,
            container ship, liner""",
    ),
    # tools and things
    concept(
        "chainsaw",
        # Real chain saws are rarely drawn: what saws stands for them.
        emoji="carpentry saw",
        icons="""chainsaw bolt-saw circular-saw saw-blade circular-sawblade carpentry-saw openmoji:saw hand-saw
            crosscut-saw saw wave-saw-tool""",
        stamps="household/tools/saw.png",
        drawings="""tools/saw_* plants/trees/bowsaw_* tools/utensile_sega_* unsorted/sega_per_legno.svg
            unsorted/motosega.svg""",
        photos="chain saw",
        without="tabler:wave-saw-tool",
    ),
    concept(
        "pickaxe",
        emoji="pick",
        icons="pick pickaxe pickax war-pick game-icons:mining miner mining-02",
        without="tdesign:pick",
    ),
    concept(
        "axe",
        emoji="axe",
        icons="""axe axe-battle axe-in-log axe-in-stump axe-swing battered-axe battle-axe fire-axe hatchet
            sharp-axe stone-axe tomahawk war-axe wood-axe broken-axe crossed-axes""",
        drawings="tools/axe_*",
        photos="hatchet",
    ),
    concept(
        "sword",
        emoji="crossed swords, dagger, person fencing",
        icons="""crossed-swords dagger sword swords sword-cross broadsword katana ancient-sword
            two-handed-sword pointy-sword rusty-sword plain-dagger sword-brandish sword-clash
            piercing-sword shining-sword sword-01 sword-02 sword-03 holy-sword martial-arts-swords
            person-fencing rune-sword""",
        stamps="military/longsword.svg",
        drawings="""tools/weapons/katana_* tools/weapons/longsword_* tools/weapons/sword_*
            tools/weapons/spider_sword_*""",
    ),
    concept(
        "hammer",
        emoji="hammer",
        icons="""hammer claw-hammer flat-hammer 3d-hammer hammer-nails hammer-1 hammer-2 construction-hammer
            interface-essential-hammer-1 interface-essential-hammer-2 settings-hammer hammer-drop
            anvil-impact interface-setting-hammer-construction-hammer-mallet-tool-* warhammer
            hammer-and-anvil thor-hammer""",
        stamps="household/tools/hammer* household/tools/mallet_metal.png",
        drawings="""tools/blacksmith_hammer_* tools/construction_hammer_* tools/hammer_* tools/wooden_mallot_*
            unsorted/Martellare.svg""",
        gcompris="categorization/hammer?.webp",
        photos="hammer",
    ),
    concept(
        "clock",
        emoji="alarm clock, mantelpiece clock, timer clock, stopwatch, three o’clock, ten o’clock",
        icons="""alarm-clock mantelpiece-clock timer-clock clock cuckoo-clock three-oclock ten-oclock
            fxemoji:clock2oclock clock-outline clock-time-four alarm pocket-watch clock-circle
            time-clock-circle interface-essential-clock clock-tower""",
        stamps="sports/stopwatch.svg",
        drawings="""signs_and_symbols/clocks/* computer/icons/flat-theme/applications/clock.svg
            computer/icons/lemon-theme/apps/clock.svg""",
        photos="analog clock, wall clock, digital clock",
        without="""*/minute_hand_* */sand_glass_* */sandglass_* emojione:timer-clock game-icons:clock-tower
            icon-park:alarm icon-park:clock-tower lineicons:alarm */clock_michael_breuer_0[234].svg""",
    ),
    concept(
        "typewriter",
        icons="""typewriter content-typewriter content-typing-machine content-typing-machine-1
            content-typing-machine-1-bold content-files-typing-machine interface-edit-typewriter-*""",
        photos="typewriter keyboard",
    ),
    concept(
        "piano",
        emoji="musical keyboard",
        icons="""piano grand-piano piano-grand piano-keys musical-keyboard musicalkeyboard keyboard-music
            instrument-classical-piano instrument-classical-piano-bold instrument-electronic-keyboard
            fxemoji:musicalkeyboard baseline-piano emojione-v1:keyboard fxemoji:keyboard
            streamline-kameleon-color:keyboard*""",
        drawings="""recreation/music/piano_keys_* recreation/music/piano_theory_*
            computer/icons/flat-theme/action/piano.svg""",
        gcompris="instruments/piano.svg instruments/organ.svg",
        photos="grand piano, upright",
    ),
    concept(
        "keyboard",
        emoji="keyboard",
        icons="""keyboard computer-keyboard keyboard-variant keyboard-wireless desktop-keyboard wiredkeyboard
            keyboard-alt baseline-keyboard keyboard-1 keyboard-wireless-2
            computers-devices-electronics-keyboard keyboard-bold
            computers-devices-electronics-keyboard-wireless programming-keyboard-type keyboard-line
            computer-keyboard-computer-keyboard-device-*""",
        drawings="computer/hardware/*keyboard* signs_and_symbols/keyb1.svg",
        photos="computer keyboard, space bar",
        without="computer/hardware/Computer-Keyboardlayout-de.svg",
    ),
    concept(
        "washing machine",
        icons="""washing-machine washing-machine-one washing-machine-minimalistic washing-machine-bold
            washing-machine-minimalistic-bold washing-machine-outline laundry-washing-machine washer
            local-laundry-service baseline-local-laundry-service outline-local-laundry-service
            hotel-laundry travel-hotel-laundry-laundry-machine laundry""",
        stamps="household/Washing-machine.svg",
        photos="washer",
        without="material-symbols:laundry*",
    ),
    concept(
        "bell",
        emoji="bell, bellhop bell",
        icons="""bell ringing-bell bellhop-bell bell-ring bell-ringing bell-simple bell-outline bell-concierge
            concierge-bell call-bell service-bell alarm-bell-ring bell-1 school-bell bell-bold""",
        drawings="computer/icons/flat-theme/*/bell.svg recreation/holiday/christmas/jingle_bells_*",
        gcompris="babymatch/bell.svg",
        photos="chime, bell cote",
    ),
    # people
    concept(
        "baby crying",
        emoji="baby, baby: *skin tone, crying face, loudly crying face",
        icons="""baby crying-baby crying-face loudly-crying-face fxemoji:crying baby-face baby-face-outline
            *:baby-[123] *:baby-*-skin-tone fluent-emoji-flat:baby-light fluent-emoji-flat:baby-medium
            fluent-emoji-flat:baby-dark healthicons:baby-0306m loudly-crying healthicons:crying
            emoticon-cry""",
        drawings="people/baby_anthony_liekens_*",
        without="*:baby-angel*",
    ),
    concept(
        "sneezing",
        emoji="sneezing face",
        icons="""sneezing-face openmoji:*-sneezing-into-elbow head-side-cough coughing coughing-alt cough
            covid:transmission-virus-cough""",
    ),
    concept(
        "footsteps",
        emoji="""footprints, person walking, person walking: *skin tone, man walking, woman walking, hiking
            boot, man’s shoe, running shoe""",
        icons="""footprints footsteps boot-prints footprint foot-print barefoot person-walking man-walking
            woman-walking walk walking directions-walk baseline-directions-walk hiking-boot walking-boot
            boots *:person-walking-*-skin-tone fluent-emoji-flat:person-walking-light
            fluent-emoji-flat:person-walking-dark *:man-walking-[12] *:woman-walking-[12]
            person-simple-walk pedestrian walking-1 walking-symbol mans-shoe hiking running-shoe""",
        stamps="clothes/hikingboot.svg",
        drawings="""*foot_print_* recreation/holiday/footprints_in_sand_* animals/tante_orme_* people/hikinh_*
            unsorted/orme_sulla_neve_* recreation/holiday/hiking_boot_*""",
        photos="running shoe, cowboy boot, Loafer",
    ),
    concept(
        "crowd",
        emoji="busts in silhouette",
        icons="""busts-in-silhouette people people-group group groups crowd users users-group users-three
            users-four account-group presentation-audience podium-with-audience i-groups-perspective-crowd
            transmission-virus-crowd groups-2 groups-3 users-group-rounded team people-line minions
            meeple-group baseline-groups user-multiple-group user-collaborate-group multiple-users-1
            multiple-users-2 multiple-users-1-bold""",
        drawings="""people/ppls.svg people/people.svg people/team_sketch_* people/utenti_* office/reunion_*
            people/3_faces_*""",
        without="""carbon:group healthicons:group hugeicons:group lucide:group mdi:group icon-park:people
            icon-park:group fluent:group-*""",
    ),
    concept(
        "fireworks",
        emoji="fireworks, sparkler, firecracker",
        icons="""fireworks sparkler firecracker firework firework-rocket fireworks-rocket fireworks-2
            fireworks-stick firework-2-bold rocket-firework firework-rocket-4""",
        drawings="recreation/holiday/fireworks* recreation/party/fireworks*",
        without="icon-park:fireworks",
    ),
    # instruments
    concept(
        "guitar",
        emoji="guitar",
        icons="""guitar guitar-acoustic guitar-electric guitar-head modern-music-electric-guitar
            modern-music-bass-guitar modern-music-electric-guitar-bold guitar-bass-head""",
        stamps="hobbies/music/string/guitar*",
        drawings="""recreation/music/guitar_* recreation/music/bass_guitar_*
            recreation/music/electric_guitar_*""",
        gcompris="instruments/guitar.svg instruments/electric_guitar.svg",
        photos="acoustic guitar, electric guitar",
    ),
    concept(
        "violin",
        emoji="violin",
        icons="violin",
        stamps="hobbies/music/string/violin*",
        drawings="recreation/music/violin_*",
        gcompris="instruments/violin.svg",
        photos="violin",
    ),
    concept(
        "cello",
        stamps="hobbies/music/string/cello.png",
        drawings="recreation/music/cello_*",
        gcompris="instruments/cello.svg",
        photos="cello",
    ),
    concept(
        "flute",
        emoji="flute",
        icons="flute pan-flute instrument-pan-flute instrument-pan-flute-bold",
        drawings="recreation/music/flute_*",
        gcompris="instruments/flute_traversiere.svg",
        photos="flute",
    ),
    concept(
        "trumpet",
        emoji="trumpet",
        icons="trumpet bugle trumpet-flag",
        stamps="hobbies/music/brass/trumpet.png",
        drawings="recreation/music/trumpet_* recreation/music/tpt_*",
        gcompris="instruments/trumpet.svg",
        photos="cornet",
        without="icon-park:trumpet */trumpet_harmon_mute_* */trumpet_straight_mute_*",
    ),
    concept(
        "saxophone",
        emoji="saxophone",
        icons="saxophone instrument-saxophone",
        drawings="recreation/music/saxophone_*",
        gcompris="instruments/saxophone.svg",
        photos="sax",
    ),
    concept(
        "clarinet",
        icons="clarinet",
        drawings="recreation/music/oboe_*",
        gcompris="instruments/clarinet.svg",
        photos="oboe",
    ),
    concept(
        "accordion",
        emoji="accordion",
        icons="accordion instrument-accordian",
        gcompris="instruments/accordion.svg",
        photos="accordion",
    ),
    concept(
        "harp",
        emoji="harp",
        icons="harp lyre",
        drawings="recreation/music/harp*",
        gcompris="instruments/harp.svg",
        photos="harp",
    ),
    concept(
        "xylophone",
        icons="xylophone",
        drawings="recreation/music/xylophone_*",
        photos="marimba",
    ),
    concept(
        "drum kit",
        emoji="drum",
        icons="drum drum-kit modern-music-drums",
        stamps="hobbies/music/percussion/*",
        drawings="recreation/music/drums_*",
        gcompris="instruments/drum_kit.svg instruments/snare_drum.svg instruments/cymbal.svg",
        photos="drum",
    ),
    concept("organ", icons="pipe-organ", photos="organ"),
    concept("banjo", emoji="banjo", icons="banjo", gcompris="instruments/banjo.svg", photos="banjo"),
    concept("harmonica", gcompris="instruments/harmonica.svg", photos="harmonica"),
    concept("bagpipes", icons="bagpipes"),
)
