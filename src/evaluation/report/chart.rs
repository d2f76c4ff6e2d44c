//! Charts as SVG: panels below one another, a legend below them all. What is drawn is data here; `plotters` draws it.
//!
//! One file serves light and dark: colors stand in it as attributes, and a style sheet of three rules exchanges those of
//! paper, ink and grid where the reader's system is dark.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;

/// Width of every figure, and height of a panel, in CSS pixels: two figures fit beside each other on a wide screen.
const WIDTH: u32 = 760;
const PANEL_HEIGHT: u32 = 260;
const TITLE_HEIGHT: u32 = 34;
const LEGEND_LINE_HEIGHT: u32 = 22;
const MARGIN: u32 = 10;
/// Sizes are those of `plotters`, which writes them 1.24 times smaller.
const TEXT_SIZE: f64 = 16.0;
const TITLE_SIZE: f64 = 19.0;
/// A letter is about this wide, in parts of the size that is written: an estimate, since there are no fonts here.
const LETTER_WIDTH: f64 = 0.56;

/// Colors that stand out from both papers, 3 to 1 at least (a test computes it).
const PALETTE: [RGBColor; 8] = [
    RGBColor(0x31, 0x82, 0xbd),
    RGBColor(0xe6, 0x55, 0x0d),
    RGBColor(0x2f, 0x9e, 0x4f),
    RGBColor(0xa0, 0x70, 0xd0),
    RGBColor(0xd6, 0x45, 0x7b),
    RGBColor(0x9a, 0x78, 0x2f),
    RGBColor(0x17, 0x99, 0x99),
    RGBColor(0x80, 0x80, 0x80),
];
/// Lines that one figure can tell apart.
pub const MAX_SERIES: usize = PALETTE.len();

const PAPER: RGBColor = RGBColor(0xfe, 0xfe, 0xfe);
const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const GRID: RGBColor = RGBColor(0xd1, 0xd9, 0xe0);
const DARK_PAPER: &str = "#0d1117";
const DARK_INK: &str = "#e6edf3";
const DARK_GRID: &str = "#30363d";

/// A figure: one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Heading.
    pub title: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
    /// Names of the series, by their number.
    pub legend: Vec<String>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Heading; may be empty.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its number in the legend, below [`MAX_SERIES`].
    pub number: usize,
    /// How points are shown.
    pub style: Style,
    /// In the order in which a line joins them.
    pub points: Vec<Point>,
}

/// How points are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A line.
    Line,
    /// A line, and a mark at each point.
    MarkedLine,
    /// Marks alone.
    Marks,
    /// Small marks alone, where there are hundreds.
    Dots,
}

/// A point, where it is known with the interval of its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Place on the horizontal axis.
    pub x: f64,
    /// Place on the vertical axis.
    pub y: f64,
    /// Ends of a bar through it.
    pub interval: Option<[f64; 2]>,
}

impl Point {
    /// A point without a bar.
    pub fn new(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            interval: None,
        }
    }
}

/// Why a chart was not drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart \"{title}\" was not drawn: {message}")]
pub struct ChartError {
    title: String,
    message: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

impl Figure {
    /// The figure as SVG. The same figure gives the same bytes.
    ///
    /// # Errors
    /// When `plotters` refuses something.
    pub fn to_svg(&self) -> Result<String, ChartError> {
        let mut svg = String::new();
        let legend = legend_places(&self.legend);
        let lines = legend.last().map_or(0, |place| place.line + 1);
        let legend_height = lines * LEGEND_LINE_HEIGHT + MARGIN;
        let panels_height = PANEL_HEIGHT * self.panels.len() as u32;
        let height = TITLE_HEIGHT + panels_height + legend_height;
        self.draw(&mut svg, height, legend_height, &legend)
            .map_err(|error| ChartError {
                title: self.title.clone(),
                message: error.to_string(),
            })?;
        Ok(for_light_and_dark(&svg, &self.title))
    }

    fn draw<'a>(
        &self,
        svg: &'a mut String,
        height: u32,
        legend_height: u32,
        legend: &[LegendPlace],
    ) -> Drawn<'a> {
        let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
        root.fill(&PAPER)?;
        let centered = Pos::new(HPos::Center, VPos::Center);
        let style = text(TITLE_SIZE).pos(centered);
        let middle = (WIDTH as i32 / 2, TITLE_HEIGHT as i32 / 2 + 2);
        root.draw_text(&self.title, &style, middle)?;
        let (_, below) = root.split_vertically(TITLE_HEIGHT);
        let (panels, legend_area) = below.split_vertically(height - TITLE_HEIGHT - legend_height);
        for (panel, area) in self
            .panels
            .iter()
            .zip(panels.split_evenly((self.panels.len().max(1), 1)))
        {
            panel.draw(&area)?;
        }
        for (number, (name, place)) in self.legend.iter().zip(legend).enumerate() {
            let y = (place.line * LEGEND_LINE_HEIGHT + LEGEND_LINE_HEIGHT / 2) as i32;
            mark(&legend_area, number, (place.x as i32 + 8, y), 5)?;
            let style = text(TEXT_SIZE).pos(Pos::new(HPos::Left, VPos::Center));
            legend_area.draw_text(name, &style, (place.x as i32 + 20, y))?;
        }
        root.present()
    }
}

impl Panel {
    fn draw<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        let points = || self.series.iter().flat_map(|it| &it.points);
        let x = self.x.scale(points().map(|it| it.x));
        let ys = points().flat_map(|it| {
            [
                Some(it.y),
                it.interval.map(|it| it[0]),
                it.interval.map(|it| it[1]),
            ]
        });
        let y = self.y.scale(ys.flatten());
        let mut builder = ChartBuilder::on(area);
        builder
            .margin_top(6)
            .margin_right(24)
            .margin_left(MARGIN)
            .x_label_area_size(44)
            .y_label_area_size(62);
        if !self.title.is_empty() {
            builder.caption(&self.title, text(TEXT_SIZE + 1.0));
        }
        let mut chart = builder.build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(text(TEXT_SIZE))
            .axis_desc_style(text(TEXT_SIZE))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .draw()?;
        let plane = chart.plotting_area();
        for series in &self.series {
            let color = PALETTE[series.number % MAX_SERIES];
            if matches!(series.style, Style::Line | Style::MarkedLine) {
                let line = series.points.iter().map(|it| (it.x, it.y));
                plane.draw(&PathElement::new(
                    line.collect::<Vec<_>>(),
                    color.stroke_width(2),
                ))?;
            }
            for point in &series.points {
                if let Some([low, high]) = point.interval {
                    let bar = vec![(point.x, low), (point.x, high)];
                    plane.draw(&PathElement::new(bar, color.stroke_width(1)))?;
                }
                let radius = match series.style {
                    Style::Line => continue,
                    Style::MarkedLine | Style::Marks => 4,
                    Style::Dots => 2,
                };
                let at = plane.map_coordinate(&(point.x, point.y));
                let base = area.get_base_pixel();
                mark(area, series.number, (at.0 - base.0, at.1 - base.1), radius)?;
            }
        }
        Ok(())
    }
}

/// A mark of a series: its color, and a shape of its own for those who cannot tell colors apart.
fn mark<'a>(area: &Area<'a>, number: usize, (x, y): (i32, i32), radius: i32) -> Drawn<'a> {
    let color = PALETTE[number % MAX_SERIES];
    let r = radius;
    let polygon = |points: &[(i32, i32)]| {
        let points: Vec<_> = points.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        Polygon::new(points, color.filled())
    };
    match number % MAX_SERIES {
        0 => area.draw(&Circle::new((x, y), r, color.filled())),
        1 => area.draw(&Rectangle::new(
            [(x - r, y - r), (x + r, y + r)],
            color.filled(),
        )),
        2 => area.draw(&polygon(&[(0, -r - 1), (r + 1, r), (-r - 1, r)])),
        3 => area.draw(&polygon(&[
            (0, -r - 1),
            (r + 1, 0),
            (0, r + 1),
            (-r - 1, 0),
        ])),
        4 => area.draw(&polygon(&[(0, r + 1), (r + 1, -r), (-r - 1, -r)])),
        5 => area.draw(&Circle::new((x, y), r, color.stroke_width(2))),
        6 => area.draw(&Rectangle::new(
            [(x - r, y - r), (x + r, y + r)],
            color.stroke_width(2),
        )),
        _ => {
            let stroke = color.stroke_width(2);
            area.draw(&PathElement::new(
                vec![(x - r, y - r), (x + r, y + r)],
                stroke,
            ))?;
            area.draw(&PathElement::new(
                vec![(x - r, y + r), (x + r, y - r)],
                stroke,
            ))
        }
    }
}

fn text(size: f64) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// Where an entry of the legend stands.
struct LegendPlace {
    x: u32,
    line: u32,
}

/// Entries beside one another as long as they fit, by the estimated width of their texts.
fn legend_places(names: &[String]) -> Vec<LegendPlace> {
    let left = 2 * MARGIN;
    let (mut x, mut line) = (left, 0);
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let letters = name.chars().count() as f64;
        let width = 36 + (letters * LETTER_WIDTH * TEXT_SIZE / 1.24).ceil() as u32;
        if x > left && x + width > WIDTH {
            (x, line) = (left, line + 1);
        }
        places.push(LegendPlace { x, line });
        x += width;
    }
    places
}

/// Gives the drawing a title for those who cannot see it, and its other colors for the dark.
fn for_light_and_dark(svg: &str, title: &str) -> String {
    let escaped = title.replace('&', "&amp;").replace('<', "&lt;");
    let hex = |color: RGBColor| format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
    let exchange = |from: RGBColor, to: &str| {
        let from = hex(from);
        format!("[fill=\"{from}\"]{{fill:{to}}}[stroke=\"{from}\"]{{stroke:{to}}}")
    };
    let rules: String = [(PAPER, DARK_PAPER), (INK, DARK_INK), (GRID, DARK_GRID)]
        .into_iter()
        .map(|(from, to)| exchange(from, to))
        .collect();
    let head_end = svg.find('>').map_or(svg.len(), |at| at + 1);
    let (head, body) = svg.split_at(head_end);
    format!(
        "{head}\n<title>{escaped}</title>\n<style>@media (prefers-color-scheme:dark){{{rules}}}</style>{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::*;

    fn figure() -> Figure {
        let series = |number, style| Series {
            number,
            style,
            points: vec![
                Point::new(1.0, 10.0),
                Point {
                    interval: Some([15.0, 25.0]),
                    ..Point::new(2.0, 20.0)
                },
            ],
        };
        let axis = |label: &str, scale| Axis {
            label: label.to_owned(),
            scale,
            bounds: None,
        };
        Figure {
            title: "Likeness & <distance>".to_owned(),
            panels: vec![Panel {
                title: "a panel".to_owned(),
                x: axis("step", Scale::Linear),
                y: axis("loss", Scale::Log),
                series: vec![
                    series(0, Style::Line),
                    series(1, Style::MarkedLine),
                    series(7, Style::Marks),
                ],
            }],
            legend: (0..8)
                .map(|it| format!("a series of number {it}"))
                .collect(),
        }
    }

    #[test]
    fn the_same_figure_is_the_same_bytes_and_holds_its_texts() {
        let svg = figure().to_svg().expect("drawn");
        assert_eq!(svg, figure().to_svg().expect("drawn"));
        for text in [
            "<title>Likeness &amp; &lt;distance></title>",
            "a panel",
            "step",
            "loss",
            "a series of number 7",
            "prefers-color-scheme:dark",
        ] {
            assert!(svg.contains(text), "no {text} in {svg}");
        }
        // What the rules for the dark exchange must be there as it is written in them.
        for color in ["fill=\"#FEFEFE\"", "fill=\"#1F2328\"", "stroke=\"#D1D9E0\""] {
            assert!(svg.contains(color), "no {color} in {svg}");
        }
    }

    #[test]
    fn nothing_to_draw_is_an_empty_panel() {
        let mut empty = figure();
        empty.panels[0].series.clear();
        assert!(empty.to_svg().expect("drawn").contains("a panel"));
        empty.panels.clear();
        empty.legend.clear();
        assert!(empty.to_svg().is_ok());
    }

    #[test]
    fn every_color_stands_out_from_both_papers() {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            match value <= 0.04045 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        let luminance =
            |[r, g, b]: [u8; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let contrast = |a: [u8; 3], b: [u8; 3]| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        for color in PALETTE {
            let color = [color.0, color.1, color.2];
            for paper in [[0xfe, 0xfe, 0xfe], [0x0d, 0x11, 0x17]] {
                let found = contrast(color, paper);
                assert!(found >= 3.0, "{color:x?} on {paper:x?}: {found:.2}");
            }
        }
    }
}
